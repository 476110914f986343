"""The libraries that programs of our users connect with: for each a small one in tests/clients."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from helpers import BUILD, REPOSITORY, Process

PROGRAMS = REPOSITORY / "tests" / "clients"
BUILT = BUILD / "clients"


class Said(NamedTuple):
    """An event as a library hands it out."""

    id: str
    type: str
    data: str

    def __str__(self) -> str:
        data = self.data if len(self.data) < 80 else f"{len(self.data)} characters"
        return f"{self.type} {self.id[:40]} {data!r}"


def as_it_is(data: str) -> str:
    return data


def stripped(data: str) -> str:
    """Without the blanks that a line begins with, and the line ends at the end."""
    return "\n".join(line.lstrip(" ") for line in data.split("\n")).rstrip("\n")


def without_last_line_end(data: str) -> str:
    return data.removesuffix("\n")


def last_line(data: str) -> str:
    return data.rpartition("\n")[2]


def no_id(before: Said) -> str:
    return ""


def last_id(before: Said) -> str:
    return before.id


class Library(NamedTuple):
    language: str
    name: str
    # What it makes of an event's data.
    reads: Callable[[str], str] = as_it_is
    # Of data beyond that length it may lose some, without a word.
    loses_beyond: int | None = None
    # It makes an empty event of a response's end: with which id?
    empty_at_end: Callable[[Said], str] | None = None
    # Without the options that its program sets it ends before the first event with that much data...
    ends_at: int | None = None
    # ... or with the first response.
    ends_with_response: bool = False

    def __str__(self) -> str:
        name = f"{self.name} of {self.language}"
        return f"{name}, defaults" if self.has_defaults else name

    @property
    def has_defaults(self) -> bool:
        return self.ends_at is not None or self.ends_with_response

    def expected(self, story: list[Said], responses: list[int]) -> list[Said]:
        """Of what came; responses: how much had come at the end of each."""
        if self.ends_with_response:
            return story[: responses[0]]
        if self.ends_at is not None:
            return story[: next(n for n, said in enumerate(story) if len(said.data) >= self.ends_at)]
        if self.empty_at_end:
            for end in reversed(responses):
                empty = Said(self.empty_at_end(story[end - 1]), "message", "")
                story = [*story[:end], empty, *story[end:]]
        return story

    def command(self) -> list:
        if self.language == "python":
            return ["/usr/bin/python3", "-P", PROGRAMS / "python" / f"{self.name}.py"]
        if self.language == "node":
            return ["node", BUILT / "node" / f"{self.name}.mjs"]
        if self.language == "java":
            return ["java", "-cp", f"{BUILT}/java/classes:{BUILT}/java/libraries/*", self.name]
        return [BUILT / self.language / self.name]

    def environment(self) -> dict[str, str]:
        own = BUILT / ("sseclient" if self.name == "sseclient" else "python")
        paths = f"{own}:{BUILT / 'python'}"
        return {"PYTHONPATH": paths} | ({"SKF_DEFAULTS": "1"} if self.has_defaults else {})

    def has_read(self, got: str, sent: str) -> bool:
        if self.loses_beyond is not None and len(sent) > self.loses_beyond:
            return sent.startswith(got[: self.loses_beyond]) and len(got) < len(sent)
        return got == self.reads(sent)


LIBRARIES = (
    Library("python", "sseclient", loses_beyond=60_000, empty_at_end=no_id),
    Library("python", "sseclient-py"),
    Library("python", "aiohttp-sse-client", stripped),
    Library("python", "aiohttp-sse-client", stripped, ends_at=1_000_000),
    Library("python", "httpx-sse"),
    Library("python", "requests-sse", stripped),
    Library("node", "eventsource-2"),
    Library("node", "eventsource-3"),
    Library("node", "eventsource-4"),
    Library("node", "undici"),
    Library("node", "eventsource-client"),
    Library("node", "fetch-event-source"),
    Library("node", "fetch-event-source", ends_with_response=True),
    Library("node", "event-source-plus", last_line),
    Library("node", "sse.js"),
    Library("node", "event-source-polyfill"),
    Library("go", "r3labs-sse", empty_at_end=last_id),
    Library("go", "launchdarkly-eventsource"),
    Library("go", "go-sse"),
    Library("rust", "reqwest-eventsource"),
    Library("rust", "eventsource-client"),
    Library("java", "OkHttpSse"),
    Library("java", "OkHttpEventSource"),
    Library("java", "SpringWebClient", without_last_line_end, empty_at_end=no_id),
)


def chosen() -> list[Library]:
    """SKF_CLIENTS=go,rust tests/run integration -k test_clients.py"""
    languages = os.environ.get("SKF_CLIENTS", "python,node").split(",")
    return [library for library in LIBRARIES if library.language in languages]


def copy_programs() -> None:
    """Beside their modules, where Node looks for them."""
    for program in (PROGRAMS / "node").glob("*.mjs"):
        shutil.copy(program, BUILT / "node")


class Client(Process):
    """A program with a library, which prints a line of JSON for each event."""

    def __init__(self, library: Library, url: str, directory: Path):
        super().__init__(re.sub("[ ,]+", "-", str(library)), directory)
        self.library = library
        self._said: list[Said] = []
        self._read = 0
        with open(directory / f"{self.name}.err", "wb") as errors:
            self.spawn(
                [*library.command(), url],
                stderr=errors,
                env=os.environ | library.environment(),
                cwd=BUILD,
            )

    def said(self) -> list[Said]:
        """Until now."""
        with open(self.log, "rb") as log:
            log.seek(self._read)
            new = log.read()
        whole, _, _ = new.rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            event = json.loads(line)
            self._said.append(
                Said(event.get("id") or "", event.get("type") or "message", event.get("data") or "")
            )
        return self._said

    def has_said(self, data: str) -> bool:
        return any(event.data == data for event in self.said())

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def errors(self) -> str:
        return (self.directory / f"{self.name}.err").read_text(errors="replace")
