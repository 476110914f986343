"""What users have: curl, and an EventSource that is not ours."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from helpers import BUILD, REPOSITORY, Process
from lighttpd import CA
from sse import EventReader


class CurlReader(EventReader):
    """curl -N URL, its output read as it comes. ended: it left with status 0.
    within: a command that curl is to be run by."""

    def __init__(self, url: str, *options: str, within: Sequence[str] = ()):
        command = [*within, "curl", "-sSNi", "--cacert", str(CA), *options, url]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        super().__init__(self.process.stdout)
        self.http = ""
        self._head = b""

    def _recv(self, limit: int) -> bytes:
        got = os.read(self.sock.fileno(), limit)
        if not got:
            self.ended = self.process.wait() == 0
        return got

    def on_bytes(self, got: bytes) -> None:
        if self.status:
            self.on_body(got)
            return
        self._head += got
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        if blank:
            status, *fields = head.split(b"\r\n")
            self.http, code = status.decode().split()[:2]
            self.status = int(code)
            self.on_head(fields)
            self.on_body(rest)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()
        super().close()


class SseCat(Process):
    """node tests/sse-cat.js URL: the EventSource of npm's eventsource, data on its output."""

    def __init__(self, url: str, directory: Path, within: Sequence[str] = ()):
        super().__init__("sse-cat", directory)
        command = [*within, "node", REPOSITORY / "tests" / "sse-cat.js", url]
        errors = open(directory / "sse-cat.err", "wb")
        with errors:
            environment = os.environ | {"NODE_EXTRA_CA_CERTS": str(CA)}
            self.spawn(command, stderr=errors, env=environment, cwd=BUILD)

    def lines(self) -> list[str]:
        return self.text().splitlines()
