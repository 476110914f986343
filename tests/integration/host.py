"""A Debian of its own, as an administrator's host is: nothing in it of this repository, and its own
systemd as process 1. It shares this machine's network."""

import os
import re
import subprocess
from pathlib import Path

from helpers import children, wait_until

from responder import Responder

BOOT = Path(__file__).with_name("boot-host.sh")
UNIT = "sse-kafka-fanout"


def this_release() -> str:
    return re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)[1]


def sources_of(release: str) -> list[Path]:
    """Of packages, for mmdebstrap: this machine's, if it is of that release, else Debian's own."""
    files = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]
    there = [file for file in files if file.exists() and release == this_release()]
    return there[:1]


class Host:
    name = "host"

    def __init__(self, directory: Path):
        self.root = directory / "root"
        self.log = directory / "boot.log"

    def install_debian(self, *packages: str) -> None:
        """Of this machine's release: the essential packages, apt, systemd and those named."""
        release = this_release()
        # With apt's lists, so that it can install what a package depends on.
        options = ["--variant=apt", "--skip=cleanup/apt", f"--include={','.join(packages)}"]
        command = ["mmdebstrap", "--quiet", *options, release, self.root, *sources_of(release)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        (self.root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        # The kernel is not its own, and may not take modules.
        modules = self.root / "etc" / "systemd" / "system" / "systemd-modules-load.service"
        modules.symlink_to("/dev/null")

    def boot(self) -> None:
        with open(self.log, "wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            # A session of its own: Ctrl-C is not for it.
            command = [BOOT, "boot", self.root]
            self._booted = subprocess.Popen(command, start_new_session=True, **streams)
        self.pid = wait_until(self._systemd, what=f"systemd, {self.log}")
        self.run("systemctl", "is-system-running", "--wait")

    def _systemd(self) -> int | None:
        """The process number of its process 1, once that can be talked to."""
        assert self._booted.poll() is None, self.log.read_text()
        for unshare in children(self._booted.pid):
            for pid in children(unshare):
                if Path(f"/proc/{pid}/root/run/systemd/private").exists():
                    return pid
        return None

    def shut_down(self) -> None:
        self._booted.terminate()
        self._booted.wait(30)

    def run(self, *command: object, check: bool = True) -> str:
        """What root types there: its output."""
        into = ["nsenter", "--target", str(self.pid), "--root", "--wd"]
        into += ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--", "env", "LC_ALL=C.UTF-8"]
        into += ["DEBIAN_FRONTEND=noninteractive", *map(str, command)]
        done = subprocess.run(into, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}: {said}"
        return said.strip()

    def path(self, path: str) -> Path:
        """A file there, also in file systems that only it has mounted."""
        return Path(f"/proc/{self.pid}/root{path}")

    def text(self) -> str:
        """Its log."""
        return self.run("journalctl", "--no-pager", check=False)

    # Units

    def is_active(self, unit: str) -> bool:
        return self.run("systemctl", "is-active", unit, check=False) == "active"

    def show(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", f"--property={name}", "--value", unit)

    def main_pid(self, unit: str) -> int:
        """As seen from outside, where it has another number."""
        inside = self.show(unit, "MainPID")
        namespace = os.readlink(f"/proc/{self.pid}/ns/pid")
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns" / "pid") == namespace:
                    numbers = re.search(r"^NSpid:(.*)$", (process / "status").read_text(), re.M)
                    if numbers[1].split()[-1] == inside:
                        return int(process.name)
            except OSError:
                pass  # it has ended meanwhile, or is not for us to see
        raise AssertionError(f"{unit} has no process")

    def units(self) -> list[str]:
        """Those of the package that are active."""
        said = self.run("systemctl", "list-units", "--plain", "--no-legend", f"{UNIT}*")
        return [line.split()[0] for line in said.splitlines()]


class InstalledResponder(Responder):
    """A responder of the package, spoken to by its socket."""

    def __init__(self, host: Host, instance: str):
        self.host = host
        self.unit = f"{UNIT}@{instance}"
        self.address = str(host.path(f"/run/{UNIT}/{instance}.sock"))

    @property
    def pid(self) -> int:
        return self.host.main_pid(self.unit)
