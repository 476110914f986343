"""Clients as a browser page is one: a table of the topic's rows, kept by an EventSource that comes
back by itself. Thousands of them share one loop."""

import base64
import heapq
import itertools
import json
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

from eventid import decode
from helpers import PATIENCE_S
from sse import EVENT_STREAM, Event, HttpReader, parse_event, split_stream

# What a browser waits in seconds, the tables wait in a twentieth: 0.05 to 0.15 s after a stream's
# end, 0.5 to 1.5 s when the pool has turned them away.
SCALE = 1 / 20
FIRST_RETRY_MS = 3000
PACE_S = 0.1
AT_ONCE = 2500  # come between two looks at what there is to read


class Change(NamedTuple):
    """What an event does to a table."""

    event: str
    id: str | None
    place: dict[int, int]
    key: str
    value: bytes


@lru_cache(4096)  # nearly always the same bytes go to everybody
def change_of(block: bytes) -> Change:
    event = parse_event(block)
    if event.id is None:
        return Change(event.event, None, {}, "", event.data)
    key = None
    progress = event.id
    if event.id.startswith("["):
        key, progress = json.loads(event.id)
    if event.event == "delete":
        key = event.data
    text = base64.urlsafe_b64decode(key).decode() if key else first_word(event)
    return Change(event.event, event.id, decode(progress), text, event.data)


def first_word(event: Event) -> str:
    """Where the id has no key: Traffic begins each value with it."""
    return event.data.split(b" ", 1)[0].decode()


def is_ahead(place: dict[int, int], before: dict[int, int]) -> bool:
    """Whether it is further in some partition, and in none further back."""
    return place != before and all(place.get(p, -1) >= n for p, n in before.items())


class TableStream(HttpReader):
    """Hands the events of one response on to its table and keeps none of them."""

    def __init__(self, table: "Table"):
        self._table = table
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if table.last_id:
            headers["Last-Event-ID"] = table.last_id
        super().__init__(table.address, table.target, headers)

    def on_body(self, got: bytes) -> None:
        self.chunks.clear()
        pieces, self._unparsed = split_stream(self._unparsed + got)
        for block in pieces:
            if block.startswith(b"retry:"):
                self.retry.append(int(block[6:]))
            elif block != b":":
                self._table.on_change(change_of(block))


class Table:
    """The rows by key, as the events say. Everything that must not happen is counted."""

    def __init__(self, address: tuple[str, int], target: str = "/events"):
        self.address, self.target = address, target
        self.pace = 0  # bytes that it reads in a second; 0: as fast as they come
        self.rows: dict[str, bytes] = {}
        self.place: dict[int, int] = {}
        self.last_id = ""
        self.retry_ms = FIRST_RETRY_MS
        self.stream: TableStream | None = None
        self.streams = self.events = 0  # so many until now
        self.repeated = self.resets = self.gaps = 0
        self.refused: str | None = None  # by what an EventSource takes as final

    def open(self) -> bool:
        try:
            self.stream = TableStream(self)
        except OSError:
            return False
        self.streams += 1
        return True

    @property
    def started(self) -> bool:
        """The first bytes of a stream that is still open are there."""
        return self.stream is not None and bool(self.stream.retry)

    def receive(self, limit: int = 1 << 18) -> None:
        """Reads what came; afterwards .stream is None if that was its end."""
        stream = self.stream
        stream.receive(limit)
        if stream.status:
            kind = stream.headers.get("content-type")
            if (stream.status, kind) != (200, EVENT_STREAM):
                self.refused = f"{stream.status} {kind}"
        if stream.retry:
            self.retry_ms = stream.retry[-1]
        if stream.ended or stream.closed or self.refused:
            self.leave()

    def leave(self) -> None:
        if self.stream:
            self.stream.close()
        self.stream = None

    def on_change(self, change: Change) -> None:
        self.events += 1
        if change.event == "reset":
            self.resets += 1
            self.rows.clear()
        elif not is_ahead(change.place, self.place):
            self.repeated += 1
        elif change.event == "gap":
            self.gaps += 1
        elif change.event == "delete":
            self.rows.pop(change.key, None)
        else:
            assert change.event == "message", f"nobody knows {change}"
            self.rows[change.key] = change.value
        self.place, self.last_id = change.place, change.id


class Crowd:
    """All tables of a drill, in one loop."""

    def __init__(self, tables: Iterable[Table]):
        self.tables = list(tables)
        self.refusals: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._numbers = itertools.count()  # no two entries of the heap are equal
        self._due: list[tuple[float, int, Callable[[Table], None], Table]] = []

    def open(self) -> None:
        for table in self.tables:
            self._at(0, self._come, table)

    def close(self) -> None:
        self._due.clear()
        for table in self.tables:
            self._leave(table)

    def watch(self, request: HttpReader) -> None:
        """Something that a table asks besides."""
        self._selector.register(request.sock, selectors.EVENT_READ, request)

    def meanwhile(self, step: Callable[[], Any]) -> None:
        """Reads what comes until the step is done, in a thread of its own."""
        with ThreadPoolExecutor(1) as executor:
            done = executor.submit(step)
            self.run(done.done, 240, f"the end of {step}")
            done.result()

    def slow_down(self, table: Table, pace: int) -> None:
        """On a new connection, whose buffers have not grown by what it has read quickly."""
        self._leave(table)
        table.pace = pace
        self._at(0, self._come, table)

    def let_go(self, tables: Iterable[Table]) -> None:
        """They read as fast as they can from now on."""
        for table in tables:
            table.pace = 0
            if table.stream:
                self._selector.register(table.stream.sock, selectors.EVENT_READ, table)

    def run(
        self, until: Callable[[], Any], timeout: float = 2 * PATIENCE_S, what: str = ""
    ) -> float:
        """Reads what comes until until() is true; how long that took, in seconds."""
        began = time.monotonic()
        while not until():
            assert time.monotonic() < began + timeout, f"not within {timeout} s: {what or until}"
            assert not self.refusals, f"clients gave up for good: {self.refusals}"
            for _ in range(AT_ONCE):
                if not self._due or self._due[0][0] > time.monotonic():
                    break
                *_, step, table = heapq.heappop(self._due)
                step(table)
            for key, _ in self._selector.select(0.01):
                if isinstance(key.data, Table):
                    self._receive(key.data)
                else:
                    self._receive_answer(key.data)
        return time.monotonic() - began

    def _at(self, after_s: float, step: Callable[[Table], None], table: Table) -> None:
        entry = (time.monotonic() + after_s, next(self._numbers), step, table)
        heapq.heappush(self._due, entry)

    def _come(self, table: Table) -> None:
        if not table.open():
            self._come_back(table)
        elif table.pace:
            table.stream.sock.setblocking(False)
            self._at(PACE_S, self._sip, table)
        else:
            self._selector.register(table.stream.sock, selectors.EVENT_READ, table)

    def _come_back(self, table: Table) -> None:
        if table.refused:
            self.refusals[table.refused] += 1
        else:
            self._at(table.retry_ms / 1000 * SCALE, self._come, table)

    def _receive(self, table: Table) -> None:
        sock = table.stream.sock
        number = sock.fileno()  # it has none when it is closed
        table.receive()
        if not table.stream:
            self._selector.unregister(number)
            self._come_back(table)

    def _receive_answer(self, request: HttpReader) -> None:
        request.receive()
        if request.ended or request.closed:
            self._selector.unregister(request.sock)
            request.close()

    def _sip(self, table: Table) -> None:
        if not table.pace or not table.stream:
            return
        try:
            table.receive(int(table.pace * PACE_S))
        except BlockingIOError:
            pass
        if table.stream:
            self._at(PACE_S, self._sip, table)
        else:
            self._come_back(table)

    def _leave(self, table: Table) -> None:
        if table.stream and not table.pace:
            self._selector.unregister(table.stream.sock)
        table.leave()
