"""The repository's own lighttpd.conf at work, with other ports and another topic."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from helpers import PROGRAM, REPOSITORY, Process, answers, children, free_port, wait_until
from responder import Responder, assert_no_sanitizer_report

CA = REPOSITORY / "certs" / "test-ca.crt"


class Lighttpd(Process):
    """It starts its responders itself, or has those that it is given."""

    def __init__(self, brokers: str, topic: str, directory: Path, responders: list[Responder]):
        super().__init__("lighttpd", directory)
        self.http = ("127.0.0.1", free_port())
        self.https = ("127.0.0.1", free_port())
        self.guarded = ("127.0.0.1", free_port())
        self.url = f"http://localhost:{self.http[1]}"
        self.https_url = f"https://localhost:{self.https[1]}"
        self.guarded_url = f"https://localhost:{self.guarded[1]}"
        self.root = directory / "root"
        self.environment = os.environ | {"KAFKA_BROKERS": brokers}
        self.external = bool(responders)
        self._lay_out()
        self._configure(topic, responders)

    def _lay_out(self) -> None:
        """The file finds everything in the directory that lighttpd is started in."""
        (self.root / "build").mkdir(parents=True)
        (self.root / "build" / PROGRAM.name).symlink_to(PROGRAM)
        for name in ("certs", "fcgi", "htdocs"):
            (self.root / name).symlink_to(REPOSITORY / name)

    def _configure(self, topic: str, responders: list[Responder]) -> None:
        text = (REPOSITORY / "lighttpd.conf").read_text()
        text = replaced(text, r"\b8080\b", str(self.http[1]))
        text = replaced(text, r"\b9090\b", str(self.https[1]))
        text = replaced(text, r"\b7143\b", str(self.guarded[1]))
        text = replaced(text, r"--topic events\b", f"--topic {topic}")
        if responders:
            hosts = ",".join(
                f'( "socket" => "{responder.address}", "check-local" => "disable",'
                ' "tcp-fin-propagate" => "enable", "disable-time" => 1 )'
                for responder in responders
            )
            text = replaced(text, r'\( "/events" => \(\(.*?\)\)\)', f'( "/events" => ( {hosts} ) )')
        (self.root / "lighttpd.conf").write_text(text)

    def add_demo_key(self, lifetime_s: int) -> None:
        """What ./run does for the page's own tokens, which shall live that long; before a start."""
        make = REPOSITORY / "certs" / "make"
        (self.root / "build" / "run").mkdir(exist_ok=True)
        subprocess.run([make, "demo", self.root / "build" / "run"], check=True)
        (self.root / "htdocs").unlink()
        shutil.copytree(REPOSITORY / "htdocs", self.root / "htdocs")
        script = self.root / "htdocs" / "demo-token.js"
        script.write_text(
            replaced(script.read_text(), r"LIFETIME_S = \d+", f"LIFETIME_S = {lifetime_s}")
        )

    def start(self) -> "Lighttpd":
        # Workers of lighttpd signal their whole process group when they stop.
        command = ["lighttpd", "-D", "-f", "lighttpd.conf"]
        self.spawn(command, cwd=self.root, env=self.environment, start_new_session=True)
        pool = 0 if self.external else 2

        def up() -> bool:
            pools = (self.responders(), self.guarded_responders())
            ports = (self.https, self.guarded)
            return all(map(answers, ports)) and all(len(pids) >= pool for pids in pools)

        self.wait_until_up(up)
        return self

    def stop(self) -> None:
        pids = self.responders() + self.guarded_responders()
        status = self.end(signal.SIGTERM)
        wait_until(lambda: not any(map(is_running, pids)), what="the end of the responders")
        assert_no_sanitizer_report(self.all_logs())
        # 1 is its status when connections were open.
        assert status in (0, 1), f"lighttpd ended with {status}: {self.text()[-2000:]}"

    def responders(self) -> list[int]:
        """The process ids of the open pool that it has started itself."""
        return [pid for pid in self._started() if not has_keys(pid)]

    def guarded_responders(self) -> list[int]:
        return [pid for pid in self._started() if has_keys(pid)]

    def _started(self) -> list[int]:
        return [pid for pid in children(self.process.pid) if is_running(pid)]

    def all_logs(self) -> str:
        logs = (self.root / "build").rglob("*.log")
        return self.text() + "".join(log.read_text(errors="replace") for log in logs)


def replaced(text: str, pattern: str, by: str) -> str:
    result, count = re.subn(pattern, by, text, flags=re.S)
    assert count, f"lighttpd.conf has no {pattern} any more"
    return result


def is_running(pid: int) -> bool:
    """Whether it is a responder that has not ended; zombies have no program any more."""
    try:
        return os.path.realpath(f"/proc/{pid}/exe") == str(PROGRAM)
    except OSError:
        return False


def has_keys(pid: int) -> bool:
    try:
        return b"--jwks" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def make_certificates() -> None:
    """And the keys for tokens; what is there stays."""
    subprocess.run([REPOSITORY / "certs" / "make"], check=True)
