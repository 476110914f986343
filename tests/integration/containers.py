"""podman in namespaces of its own: the networks, ports and processes of its containers are nobody
else's, and end with it. For root, where the kernel allows what any container needs."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

from helpers import BUILD, REPOSITORY, children
from host import sources_of
from kafka import BROKER, LIBS

PODMAN_COMPOSE = BUILD / "podman-compose" / "podman_compose.py"
PROGRAMS = ("podman", "runc", "mmdebstrap", "unshare", "nsenter", "ip")
BASE = "docker.io/library/debian:bookworm-slim"

# The first process: all others end with it, and it ends with us. What podman keeps outside of its
# storage is hidden from the machine, and the machine's from it.
INIT = """
set -e
ip link set lo up
for hidden in /dev/shm /run/containers /run/libpod /run/netns /run/runc /var/lib/cni; do
    mkdir -p $hidden
    mount -t tmpfs tmpfs $hidden
done
echo up
read -r || true
"""

# docker compose ... with what there is in its place.
DOCKER = f"""#!/bin/sh
test "$1" = compose && shift
exec /usr/bin/python3 -B {PODMAN_COMPOSE} --no-ansi --in-pod=false -f {REPOSITORY}/compose.yaml \\
    --podman-build-args="--network=host --layers=false" "$@"
"""


class ContainerHost:
    def __init__(self, directory: Path):
        self.directory = directory
        self.work = directory / "work"  # where commands are typed
        self.work.mkdir(parents=True)
        self._configure()
        self._start()

    def _configure(self) -> None:
        # podman's own limits need a capability that a machine inside a container lacks.
        limits = [("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)]
        hard = {name: resource.getrlimit(number)[1] for name, number in limits}
        ulimits = ", ".join(f'"{name}={n}:{n}"' for name, n in hard.items())
        conf = self.directory / "containers.conf"
        conf.write_text(
            f"[containers]\ndefault_ulimits = [{ulimits}]\n"
            # No systemd to ask, and crun refuses cgroups of both versions side by side.
            '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n'
            f'[network]\nnetwork_config_dir = "{self.directory}/networks"\n'
        )
        # vfs copies an image for each container, but every file system can do it.
        driver = "overlay" if self._can_overlay() else "vfs"
        storage = self.directory / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "{driver}"\nrunroot = "{self.directory}/run"\n'
            f'graphroot = "{self.directory}/storage"\n'
        )
        docker = self.directory / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{docker.parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "CONTAINERS_CONF": str(conf),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot",
            "DISABLE_HC_SYSTEMD": "true",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "true",
        }

    def _can_overlay(self) -> bool:
        """What is itself in an overlay, as the root of a container is, mostly cannot."""
        probe = self.directory / "overlay"
        names = ("lower", "upper", "work", "merged")
        lower, upper, work, merged = directories = [probe / name for name in names]
        for directory in directories:
            directory.mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount = ["unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", merged]
        can = subprocess.run(mount, capture_output=True).returncode == 0
        shutil.rmtree(probe)
        return can

    def _start(self) -> None:
        missing = [name for name in PROGRAMS if not self._which(name)]
        missing += [] if PODMAN_COMPOSE.exists() else ["podman-compose"]
        assert not missing, f"{missing} missing: tests/run installs them"
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with open(self.directory / "init.log", "w+") as log:
            self._unshare = subprocess.Popen(
                [*command, "bash", "-c", INIT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
            )
            up = self._unshare.stdout.readline()
            log.seek(0)
            assert up == b"up\n", f"namespaces cannot be had here: {log.read()}"
        self.pid = children(self._unshare.pid)[0]
        # Before a command: its connections are those of a user at this host.
        self.inside = ["nsenter", f"--target={self.pid}", "--net", "--"]

    def _which(self, name: str) -> str | None:
        return shutil.which(name, path=self.environment["PATH"])

    def stop(self) -> None:
        self.try_sh("podman rm --all --force --time=0")  # and their cgroups
        self._unshare.stdin.close()
        self._unshare.wait()
        self._unshare.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def sh(self, command: str, online: bool = False) -> str:
        """What a user types in the directory work, and what it says; online: with the machine's
        own network."""
        done = self.try_sh(command, online)
        said = done.stdout[-3000:] + done.stderr[-3000:]
        assert done.returncode == 0, f"{command}: status {done.returncode}: {said}"
        return done.stdout

    def try_sh(self, command: str, online: bool = False) -> subprocess.CompletedProcess:
        namespaces = ["--mount", "--pid", *([] if online else ["--net"])]
        command = f"set -o pipefail; cd {self.work}; {command}"
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", *namespaces, "--", "bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environment,
        )

    # Images, of which none can be fetched

    def make_base(self) -> None:
        """What the Dockerfiles start from, made of Debian's packages."""
        mirror = " ".join(map(str, sources_of("bookworm")))
        self.sh(
            f"mmdebstrap --quiet --variant=minbase bookworm - {mirror}"
            f" | podman import --quiet - {BASE}",
            online=True,
        )
        assert self.sh(f"podman run --rm {BASE} echo runs") == "runs\n"

    def make_stand_ins(self, *names: str) -> None:
        self.sh(f"{BROKER} fetch", online=True)
        tags = " ".join(f"--tag={name}" for name in names)
        jars = f"--build-context jars={LIBS}"
        context = REPOSITORY / "tests" / "containers"
        self.sh(f"podman build --network=host --layers=false {tags} {jars} {context}", online=True)
