"""One responder process: build/sse-kafka-fanout, spoken to over FastCGI without a front."""

import os
import signal
from pathlib import Path
from typing import Any

import fastcgi
from fastcgi import FastCgiReader
from helpers import PROGRAM, Process, answers

# A sanitizer's finding ends the program with a status that is none of its own.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")


def assert_no_sanitizer_report(text: str) -> None:
    for line in text.splitlines():
        assert "Sanitizer" not in line and "runtime error:" not in line, text[-8000:]


class Responder(Process):
    numbers = 0

    def __init__(self, brokers: str, topic: str | None, directory: Path, *options: str):
        """topic None: the options name a file that has routes."""
        Responder.numbers += 1
        super().__init__(f"responder-{Responder.numbers}", directory)
        of_topic = ["-t", topic] if topic else []
        self.options = ["-b", brokers, *of_topic, "--drain", "0", *options]
        self.address = str(directory / f"{self.name}.sock")

    def start(self) -> "Responder":
        self.spawn([PROGRAM, *self.options, "--listen", self.address], cwd=self.directory)
        self.wait_until_up(lambda: answers(self.address))
        return self

    def stop(self) -> None:
        status = self.end(signal.SIGTERM)
        assert_no_sanitizer_report(self.text())
        assert status == 0, f"{self.name} ended with {status}: {self.text()[-2000:]}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(
        self,
        method: str = "GET",
        target: str = "/events",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        params: dict[str, str] | None = None,
        request_id: int = 1,
    ) -> FastCgiReader:
        """A request as lighttpd sends it; params are set besides, or instead."""
        pairs = fastcgi.cgi(method, target, headers or {}, body) | (params or {})
        said = fastcgi.request(pairs.items(), body, request_id)
        return FastCgiReader(self.address, said, request_id)

    def say(self, said: bytes) -> FastCgiReader:
        """Whatever bytes on a connection of their own."""
        return FastCgiReader(self.address, said)

    def open(self, last_event_id: str | None = None, **request: Any) -> FastCgiReader:
        """An event stream, its first bytes already there."""
        headers = {"Accept": "text/event-stream"} | request.pop("headers", {})
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        stream = self.send(headers=headers, **request).wait_started()
        assert stream.status == 200
        return stream
