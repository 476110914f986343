"""Event streams as a client reads them: strict about every byte, never waiting for a time."""

import re
import selectors
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from helpers import PATIENCE_S, connect

EVENT_STREAM = "text/event-stream;charset=utf-8"

# The program's own order and spelling; what else the SSE format would allow is a bug here.
_EVENT = re.compile(
    rb"(?:id:(?P<id>[^\n]+)\n)?(?:event:(?P<event>[^\n]+)\n)?(?P<data>data:.*)", re.S
)
_RETRY = re.compile(rb"retry:(\d+)")
_PLACE = re.compile(rb"id:([^\n]+)")  # alone: clients remember it, and make no event of it


class Event(NamedTuple):
    id: str | None
    event: str
    data: bytes
    raw: bytes
    at: float  # time.monotonic() of its last byte

    @property
    def text(self) -> str:
        return self.data.decode()


def parse_event(block: bytes, at: float = 0) -> Event:
    match = _EVENT.fullmatch(block)
    assert match, f"not an event: {block[:200]!r}"
    assert b"\r" not in block, f"a carriage return in {block[:200]!r}"
    lines = []
    for line in match["data"].split(b"\n"):
        assert line.startswith(b"data:"), f"the line {line[:80]!r} in {block[:200]!r}"
        lines.append(line[5:].removeprefix(b" "))
    event_id = match["id"].decode() if match["id"] else None
    name = match["event"].decode() if match["event"] else "message"
    return Event(event_id, name, b"\n".join(lines), block + b"\n\n", at)


def split_stream(got: bytes) -> tuple[list[bytes], bytes]:
    """The lines that stand alone (`:`, `retry:`) and the events' blocks, and what is not whole."""
    pieces = []
    at = 0
    while True:
        end = got.find(b"\n", at)
        line = got[at : max(end, at)]
        whole = end + 1
        if line and line != b":" and not line.startswith(b"retry:"):
            end = got.find(b"\n\n", at)
            line = got[at : max(end, at)]
            whole = end + 2
        if end < 0:
            return pieces, got[at:]
        if line:
            pieces.append(line)
        at = whole


class EventReader:
    """The events of one response. Subclasses turn what the socket says into head and body.

    headers: lower-case name -> value, once the head is there
    ended:   the response is complete (END_REQUEST, the last chunk)
    closed:  nothing more can come on this connection
    """

    def __init__(self, sock: Any):
        self.sock = sock
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.events: list[Event] = []
        self.comments: list[float] = []
        self.places: list[str] = []  # ids that stood alone
        self.retry: list[int] = []
        self.ended = False
        self.closed = False
        self._unparsed = b""
        self._taken = 0

    # What came

    def receive(self, limit: int = 1 << 18) -> None:
        """Takes what the socket has, at most limit bytes; it may be asked only when readable."""
        try:
            got = self._recv(limit)
        except (ConnectionError, BrokenPipeError):
            got = b""
        if got:
            self.on_bytes(got)
        else:
            self.closed = True

    def _recv(self, limit: int) -> bytes:
        return self.sock.recv(limit)

    def on_bytes(self, got: bytes) -> None:
        raise NotImplementedError

    def on_head(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon, f"not a header: {line!r}"
            name, value = name.strip().lower(), value.strip()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def on_body(self, got: bytes) -> None:
        self.body += got
        if self.headers.get("content-type") != EVENT_STREAM:
            return
        pieces, self._unparsed = split_stream(self._unparsed + got)
        now = time.monotonic()
        for block in pieces:
            if block == b":":
                self.comments.append(now)
            elif retry := _RETRY.fullmatch(block):
                self.retry.append(int(retry[1]))
            elif place := _PLACE.fullmatch(block):
                self.places.append(place[1].decode())
            else:
                self.events.append(parse_event(block, now))

    # Waiting for it

    def wait(self, until: Callable[[], Any], timeout: float = PATIENCE_S) -> None:
        pump([self], until, timeout)

    def wait_head(self) -> "EventReader":
        self.wait(lambda: self.status)
        return self

    def wait_started(self) -> "EventReader":
        """Until the first bytes of a stream are there."""
        self.wait(lambda: self.retry)
        return self

    def wait_end(self, timeout: float = PATIENCE_S) -> "EventReader":
        self.wait(lambda: self.ended or self.closed, timeout)
        assert self.ended, f"cut off instead of ended: {self}"
        return self

    def next(self, timeout: float = PATIENCE_S) -> Event:
        return self.take(1, timeout)[0]

    def take(self, number: int, timeout: float = PATIENCE_S) -> list[Event]:
        """The next events, each handed out once."""
        self.wait(lambda: len(self.events) >= self._taken + number, timeout)
        taken = self.events[self._taken : self._taken + number]
        self._taken += number
        return taken

    def take_until(self, data: bytes, timeout: float = PATIENCE_S) -> list[Event]:
        """The next events up to the one with this data, which is the last of them."""
        seen = self._taken

        def there() -> bool:
            nonlocal seen
            while seen < len(self.events):
                seen += 1
                if self.events[seen - 1].data == data:
                    return True
            return False

        self.wait(there, timeout)
        taken = self.events[self._taken : seen]
        self._taken = seen
        return taken

    def close(self) -> None:
        self.sock.close()
        self.closed = True

    def __str__(self) -> str:
        state = "closed" if self.closed else "ended" if self.ended else "open"
        return (
            f"{type(self).__name__} {state}, status {self.status}, {len(self.body)} bytes, "
            f"{len(self.events)} events, the last bytes {bytes(self.body[-300:])!r}"
        )


def pump(readers: list[EventReader], until: Callable[[], Any], timeout: float = PATIENCE_S) -> None:
    """Reads what comes on all of them until until() is true."""
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            if not reader.closed:
                selector.register(reader.sock, selectors.EVENT_READ, reader)
        while not until():
            left = deadline - time.monotonic()
            assert left > 0, f"not within {timeout} s, {len(readers)} streams: {said(readers)}"
            assert selector.get_map(), f"closed before it came: {said(readers)}"
            for key, _ in selector.select(left):
                key.data.receive()
                if key.data.closed:
                    selector.unregister(key.fileobj)


def said(readers: list[EventReader]) -> str:
    return "; ".join(map(str, readers[:3]))


class HttpReader(EventReader):
    """A response over HTTP/1.1 without TLS, read from the socket chunk by chunk."""

    def __init__(
        self,
        address: tuple[str, int],
        target: str = "/events",
        headers: dict[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
    ):
        super().__init__(connect(address))
        self.chunks: list[tuple[float, bytes]] = []
        self._input = b""
        self._left: int | None = None  # of a body with Content-Length
        fields = {"Host": f"localhost:{address[1]}"} | (headers or {})
        if body or method == "POST":
            fields["Content-Length"] = str(len(body))
        head = f"{method} {target} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.method = method
        with suppress(ConnectionError):  # refused before it had all: the answer is to be read
            self.sock.sendall(head.encode("latin-1") + b"\r\n" + body)

    def on_bytes(self, got: bytes) -> None:
        self._input += got
        if not self.status:
            head, blank, rest = self._input.partition(b"\r\n\r\n")
            if not blank:
                return
            status, *fields = head.split(b"\r\n")
            self.status = int(status.split()[1])
            self.on_head(fields)
            self._input = rest
            bodyless = self.method == "HEAD" or self.status in (204, 304)
            self._left = 0 if bodyless else int(self.headers.get("content-length", -1))
        if self._left is not None and self._left >= 0:
            self._take_length()
        else:
            assert self.headers.get("transfer-encoding") == "chunked", f"how long? {self.headers}"
            self._take_chunks()

    def _take_length(self) -> None:
        self.on_body(self._input[: self._left])
        self._left -= len(self._input)
        assert self._left >= 0, f"more than its length: {self}"
        self._input = b""
        self.ended = self._left == 0

    def _take_chunks(self) -> None:
        at = 0
        while not self.ended and (line_end := self._input.find(b"\r\n", at)) >= 0:
            start = line_end + 2
            end = start + int(self._input[at:line_end], 16)
            if len(self._input) < end + 2:
                break
            chunk, at = self._input[start:end], end + 2
            self.chunks.append((time.monotonic(), chunk))
            self.on_body(chunk)
            self.ended = not chunk
        self._input = self._input[at:]
