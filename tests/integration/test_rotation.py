"""Debian's logrotate, its rules and lighttpd, with the example's error log behind fcgi/mask-log.sh."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients import CurlReader
from fronts import Lighttpd, Place
from helpers import REPOSITORY, wait_until
from lighttpd import SEARCH_PATH, make_certificates, replaced

RULES = Path("/etc/logrotate.d/lighttpd")
SECRET = "TOPSECRET"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """logrotate takes no directory in which others may write."""
    make_certificates()
    with tempfile.TemporaryDirectory(prefix="skf-") as directory:
        Path(directory).chmod(0o755)
        yield Place(Path(directory))


class Logs:
    """Of a lighttpd without a responder: each request is a line, with its target."""

    def __init__(self, front: Lighttpd):
        self.front = front
        self.directory = front.log_directory
        # As Debian's; the log's way to its file may begin later than the server.
        shutil.chown(self.directory, "www-data")
        self.directory.chmod(0o755)
        rules = replaced(RULES.read_text(), r"/var/log/lighttpd", str(self.directory))
        # In place of the service, which there is none of here.
        reopen = f"postrotate\nkill -HUP {front.process.pid}\nendscript"
        rules = re.sub(r"postrotate.*?endscript", reopen, rules, flags=re.S)
        self.rules = front.directory / "logrotate.conf"
        self.rules.write_text("create\n" + rules)

    def rotate(self) -> None:
        state = self.rules.with_suffix(".state")
        command = ["logrotate", "--force", "--state", state, self.rules]
        environment = os.environ | {"PATH": SEARCH_PATH}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    def lines(self) -> list[str]:
        file = self.directory / "error.log"
        if not file.exists():
            return []
        return [line for line in file.read_text().splitlines() if "/events" in line]

    def wait_for_a_line(self, what: str) -> None:
        """Another one than those that are there."""
        before = len(self.lines())

        def said() -> bool:
            self._ask()
            return len(self.lines()) > before

        wait_until(said, what=what)

    def _ask(self) -> None:
        request = CurlReader(f"{self.front.url}/events?access_token={SECRET}")
        request.wait(lambda: request.ended or request.closed)  # by a lighttpd that reopens its logs
        request.close()


def test_error_log_masking_survives_logrotate(place):
    front = Lighttpd(place).start()
    logs = Logs(front)
    for rotation in (1, 2):
        logs.wait_for_a_line("a line in error.log")
        logs.rotate()
        assert logs.lines() == []
        logs.wait_for_a_line(f"a line after rotation {rotation}")  # lighttpd has heard of it
        rotated = (logs.directory / "error.log.1").read_bytes()
        logs.wait_for_a_line("another one")
        assert (logs.directory / "error.log.1").read_bytes() == rotated
    assert (logs.directory / "error.log.2.gz").exists()
    front.end()
    assert SECRET not in front.text() and " for /events" in front.text()


def test_an_error_log_that_cannot_be_written_is_told_and_gone_on_with_when_it_can(tmp_path):
    told, log = tmp_path / "told", tmp_path / "missing" / "error.log"
    logger = tmp_path / "logger"
    logger.write_text(f'#!/bin/sh\necho "$@" >>"{told}"\n')
    logger.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [REPOSITORY / "fcgi" / "mask-log.sh", log]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as mask:

        def write(line: bytes) -> None:
            mask.stdin.write(line + b"\n")
            mask.stdin.flush()

        write(b"lost")
        wait_until(told.exists)
        write(b"lost, too")
        log.parent.mkdir()

        def written() -> bool:
            write(b"kept?" + SECRET.encode())
            return log.exists() and "kept?-" in log.read_text()

        wait_until(written)
        mask.stdin.close()
        assert mask.wait() == 0
    assert str(log) in told.read_text() and len(told.read_text().splitlines()) == 1
    assert SECRET not in log.read_text()
