"""The repository's own lighttpd.conf at work, with other ports and another topic."""

import os
import re
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path

from helpers import (
    PATIENCE_S,
    PROGRAM,
    REPOSITORY,
    Process,
    alone,
    answers,
    children,
    free_port,
    unix_connections,
    wait_until,
)
from responder import Responder, assert_no_sanitizer_report

SEARCH_PATH = f"{os.environ['PATH']}:/usr/sbin"
CA = REPOSITORY / "certs" / "test-ca.crt"


POOLS = ("open-1", "open-2", "guarded-1", "guarded-2")


class Lighttpd(Process):
    """It starts its responders itself, or has those that it is given, or those of kept pools."""

    def __init__(
        self,
        brokers: str,
        topic: str,
        directory: Path,
        responders: list[Responder],
        kept: bool = False,
    ):
        super().__init__("lighttpd", directory)
        self.http = ("127.0.0.1", free_port())
        self.https = ("127.0.0.1", free_port())
        self.guarded = ("127.0.0.1", free_port())
        self.admin = ("127.0.0.1", free_port())
        self.url = f"http://localhost:{self.http[1]}"
        self.https_url = f"https://localhost:{self.https[1]}"
        self.guarded_url = f"https://localhost:{self.guarded[1]}"
        self.root = directory / "root"
        self.run = self.root / "build" / "run"
        self.environment = os.environ | {"KAFKA_BROKERS": brokers, "TOPIC": topic}
        self.external = kept or bool(responders)
        kept_names = (*POOLS, "standby") if kept else ("standby",) if responders else ()
        self.keepers = {name: Keeper(name, self) for name in kept_names}
        self._lay_out()
        self._configure()
        for number, name in enumerate(POOLS if responders else ()):
            responder = responders[number % 2 % len(responders)]
            (self.run / f"{name}.sock").symlink_to(responder.address)

    def _lay_out(self) -> None:
        """The files find everything in the directory that lighttpd is started in."""
        self.run.mkdir(parents=True)
        (self.root / "fcgi").mkdir()
        (self.root / "build" / PROGRAM.name).symlink_to(PROGRAM)
        for name in ("certs", "htdocs", "fcgi/mask-log.sh", "fcgi/keep-responder.sh"):
            (self.root / name).symlink_to(REPOSITORY / name)

    def _configure(self) -> None:
        text = (REPOSITORY / "lighttpd.conf").read_text()
        for said, port in (
            ("8080", self.http),
            ("9090", self.https),
            ("7143", self.guarded),
            ("9464", self.admin),
        ):
            text = replaced(text, rf"\b{said}\b", str(port[1]))
        (self.root / "lighttpd.conf").write_text(text)
        # Not a link: it goes to its own directory's parent.
        shutil.copy(REPOSITORY / "fcgi" / "start-responder.sh", self.root / "fcgi")

    def add_demo_key(self, lifetime_s: int) -> None:
        """What ./run does for the page's own tokens, which shall live that long; before a start."""
        make = REPOSITORY / "certs" / "make"
        subprocess.run([make, "demo", self.run], check=True)
        (self.root / "htdocs").unlink()
        shutil.copytree(REPOSITORY / "htdocs", self.root / "htdocs")
        script = self.root / "htdocs" / "demo-token.js"
        script.write_text(
            replaced(script.read_text(), r"LIFETIME_S = \d+", f"LIFETIME_S = {lifetime_s}")
        )

    def listen_on(self, ip: str) -> None:
        """Besides localhost; before a start."""
        with open(self.root / "lighttpd.conf", "a") as file:
            for (_, port), option in ((self.http, ""), (self.https, 'ssl.engine = "enable"')):
                file.write(f'$SERVER["socket"] == "{ip}:{port}" {{ {option} }}\n')

    def start(self) -> "Lighttpd":
        for keeper in self.keepers.values():
            keeper.start()
        environment = self.environment | ({"RESPONDERS": "external"} if self.external else {})
        # By its whole path, as a graceful restart wants it. In a session of its own: workers of
        # lighttpd signal their whole process group when they stop.
        command = [shutil.which("lighttpd", path=SEARCH_PATH), "-D", "-f", "lighttpd.conf"]
        self.spawn(command, cwd=self.root, env=environment, start_new_session=True)
        pool = 0 if self.external else 2

        def up() -> bool:
            pools = (self.responders(), self.guarded_responders())
            ports = (self.https, self.guarded)
            return all(map(answers, ports)) and all(len(pids) >= pool for pids in pools)

        self.wait_until_up(up)
        return self

    def stop(self) -> None:
        pids = self._started()
        status = self.end(signal.SIGTERM)
        for keeper in self.keepers.values():
            if keeper in Process.running:
                keeper.stop()
        wait_until(lambda: not any(map(is_running, pids)), what="the end of the responders")
        assert_no_sanitizer_report(self.all_logs())
        # 1 is its status when connections were open.
        assert status in (0, 1), f"lighttpd ended with {status}: {self.text()[-2000:]}"

    def responders(self) -> list[int]:
        """The process ids of the open pool that it has started itself."""
        return [pid for pid, said in self._pools() if "--jwks" not in said]

    def pool(self) -> list[int]:
        """The same, once they know each other: two sockets that listen, a connection each way."""
        pids = self.responders()
        wait_until(lambda: list(map(unix_connections, pids)) == [4, 4], what="the pool")
        return pids

    def guarded_responders(self) -> list[int]:
        return [pid for pid, said in self._pools() if "--jwks" in said]

    def _pools(self) -> list[tuple[int, set[str]]]:
        """With what was said to each. The standby has no broker, and for a moment, while a program
        takes another one's place, nothing is said at all."""
        started = [(pid, arguments(pid)) for pid in self._started()]
        return [(pid, said) for pid, said in started if "--brokers" in said]

    def _started(self) -> list[int]:
        return [pid for pid in children(self.process.pid) if is_running(pid)]

    def all_logs(self) -> str:
        logs = (self.root / "build").rglob("*.log")
        return self.text() + "".join(log.read_text(errors="replace") for log in logs)


class Keeper(Process):
    """One responder of a pool and the socket that outlives it, as ./run starts them."""

    def __init__(self, socket: str, front: Lighttpd):
        super().__init__(f"keeper-{socket}", front.directory)
        self.socket = socket
        self.front = front

    def start(self) -> "Keeper":
        path = self.front.run / f"{self.socket}.sock"
        command = ["spawn-fcgi", "-n", "-s", path, "-M", "0600", "-b", "4096", "--"]
        command += ["fcgi/keep-responder.sh", self.socket.partition("-")[0]]
        options = {"cwd": self.front.root, "env": self.front.environment}
        self.spawn(command, start_new_session=True, **options)
        self.wait_until_up(self.responders)
        return self

    def responders(self) -> list[int]:
        """Usually one; for a while two, when one takes over from another."""
        return [pid for pid in children(self.process.pid) if is_running(pid)]

    def end(self, how: int = signal.SIGTERM, timeout: float = PATIENCE_S) -> int:
        if how == signal.SIGKILL and self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return super().end(how, timeout)

    def stop(self) -> None:
        status = self.end(signal.SIGTERM)
        assert_no_sanitizer_report(self.text())
        assert status == 0, f"{self.name} ended with {status}: {self.text()[-2000:]}"


def replaced(text: str, pattern: str, by: str) -> str:
    result, count = re.subn(pattern, by, text, flags=re.S)
    assert count, f"there is no {pattern} any more"
    return result


def is_running(pid: int) -> bool:
    """Whether it is a responder that has not ended; zombies have no program any more."""
    try:
        return os.path.realpath(f"/proc/{pid}/exe") == str(PROGRAM)
    except OSError:
        return False


def arguments(pid: int) -> set[str]:
    try:
        return set(Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
    except OSError:
        return set()


@cache
def make_certificates() -> None:
    """And the keys for tokens; what is there stays."""
    with alone("certs"):
        subprocess.run([REPOSITORY / "certs" / "make"], check=True)
