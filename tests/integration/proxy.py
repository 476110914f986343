"""A link between clients and a broker that does something to single requests or answers."""

import asyncio
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from helpers import free_port

DESCRIBE_CONFIGS = 32


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
    delay: float = 0  # seconds, of the broker's answer and of those behind it


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
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
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
        delays: dict[int, float] = {}
        ways = [
            asyncio.create_task(self._requests(client, to_broker, to_client, delays)),
            asyncio.create_task(self._answers(broker, to_client, delays)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for writer in (to_client, to_broker):
            writer.close()

    async def _requests(
        self,
        client: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        delays: dict[int, float],
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
                delays[request.correlation] = fate.delay
                to_broker.write(framed(frame))
                await to_broker.drain()

    async def _answers(
        self,
        broker: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        delays: dict[int, float],
    ) -> None:
        while frame := await read_frame(broker):
            (correlation,) = struct.unpack_from(">i", frame)
            if delay := delays.pop(correlation, 0):
                await asyncio.sleep(delay)
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
