"""A link between clients and a broker that does something to single requests or answers."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import NamedTuple

from helpers import PATIENCE_S, free_port

FETCH, LIST_OFFSETS, METADATA, DESCRIBE_CONFIGS = 1, 2, 3, 32


class Request(NamedTuple):
    api_key: int
    version: int
    correlation: int
    client: str  # client.id


class Fate(NamedTuple):
    """What becomes of a request; by itself it goes on to the broker."""

    close: bool = False  # the connection ends
    swallow: bool = False  # nobody ever answers
    answer: bytes | None = None  # by the proxy, without correlation id
    delay: float = 0  # seconds from the request to its answer, at least; none overtakes it


PASS = Fate()


def parse(frame: bytes) -> Request:
    api_key, version, correlation, n = struct.unpack_from(">hhih", frame)
    return Request(api_key, version, correlation, frame[10 : 10 + max(n, 0)].decode())


class Proxy:
    """Listens on .port, which its broker has to advertise (see KafkaBehind), and asks .fate, which
    may be changed at any time, about each request of the program; those of the tests' own clients
    pass. .requests has counted them by their API key."""

    def __init__(self, broker_port: int):
        self.broker_port = broker_port
        self.port = free_port()
        self.fate: Callable[[Request], Fate] = lambda request: PASS
        self.requests: dict[int, int] = {}
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task] = set()
        self._full: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # The link as a whole

    def refuse(self) -> None:
        """Nobody listens any more, and all connections end."""
        self._do(self._shut())

    def drop(self) -> None:
        """Likewise, but who connects never hears anything: the queue of those who do is full."""
        self.refuse()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._full.append(listener)
        for _ in range(4):
            self._full.append(socket.socket())
            self._full[-1].setblocking(False)
            self._full[-1].connect_ex(("127.0.0.1", self.port))

    def admit(self) -> None:
        for full in self._full:
            full.close()
        self._full.clear()
        if self._server is None:
            self._do(self._listen())

    def _do(self, what: Coroutine) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None
        for task in self._tasks:
            task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._started.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            broker, to_broker = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            to_client.close()
            return
        self.connections += 1
        due: dict[int, float] = {}  # the time of an answer, by its correlation id
        ways = [
            asyncio.create_task(self._requests(client, to_broker, to_client, due)),
            asyncio.create_task(self._answers(broker, to_client, due)),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self._tasks.difference_update(ways)
        for way in ways:
            way.cancel()
        for writer in (to_client, to_broker):
            writer.close()

    async def _requests(
        self,
        client: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        due: dict[int, float],
    ) -> None:
        while frame := await read_frame(client):
            request = parse(frame)
            fate = PASS
            if request.client == "sse-kafka-fanout":
                self.requests[request.api_key] = self.requests.get(request.api_key, 0) + 1
                fate = self.fate(request)
            if fate.close:
                return
            if fate.answer is not None:
                to_client.write(framed(struct.pack(">i", request.correlation) + fate.answer))
            elif not fate.swallow:
                due[request.correlation] = time.monotonic() + fate.delay
                to_broker.write(framed(frame))
                await to_broker.drain()

    async def _answers(
        self,
        broker: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        due: dict[int, float],
    ) -> None:
        while frame := await read_frame(broker):
            (correlation,) = struct.unpack_from(">i", frame)
            await asyncio.sleep(due.pop(correlation, 0) - time.monotonic())
            to_client.write(framed(frame))
            await to_client.drain()


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Empty at the end."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        (n,) = struct.unpack(">i", await reader.readexactly(4))
        return await reader.readexactly(n)
    return b""


def framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame
