"""A drill: servers under many clients and traffic, something goes wrong, and then everything has to
be as if nothing had been."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from helpers import SANITIZED, descriptors, resident_kb, unix_connections, wait_until
from kafka import Kafka, Record
from pool import Front
from responder import Responder
from sse import HttpReader
from table import Crowd, Table
from test_health import readiness

# A responder with sanitizers is some ten times slower, and so is Python with it on two cores.
LESS = 10 if SANITIZED else 1

HOT_KEYS = 50
BATCH, INTERVAL_S = 5, 0.1  # so many records at a time, and at most so often
# Events that all clients together get in a second; Python can read some ten times as many.
EVENTS_PER_S = 10_000
# What may be left: memory that an allocator keeps (lighttpd's is no concern of ours), a full
# backlog (the newest events, encoded, of fcgi/stream/backlog.h), and connections of librdkafka, if
# the drill began without a broker.
LEFT_KB, LEFT_AT_LIGHTTPD_KB = 2000, 10_000
BACKLOG_KB = 4096
LEFT_DESCRIPTORS = 4


class Traffic:
    """Records that pour into a topic, and the rows that they make of it.

    Every second record is an update of one of a few keys, every tenth deletes a key, and all others
    have keys of their own: one of those that is lost is missed for ever."""

    def __init__(self, kafka: Kafka, topic: str, readers: int, size: int = 0):
        self.kafka, self.topic, self.size = kafka, topic, size
        self.interval_s = max(BATCH * readers / EVENTS_PER_S, INTERVAL_S)
        self.partitions = 1  # for keys that come from now on; all others stay where they are
        self.count = 0
        self.bytes = 0
        self.rows: dict[str, bytes] = {}
        self._home: dict[str, int] = {}
        self._producer = kafka.new_producer()
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def write(self, count: int) -> None:
        """Returns when Kafka has them."""
        numbers = range(self.count, self.count + count)
        changes = [self._change(n) for n in numbers]
        records = (
            Record(key.encode(), value, self._home.setdefault(key, n % self.partitions))
            for n, (key, value) in zip(numbers, changes)
        )
        self.kafka.produce(self.topic, *records, producer=self._producer)
        for key, value in changes:
            self.bytes += len(key) + len(value or b"")
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.count += count

    def _change(self, n: int) -> tuple[str, bytes | None]:
        if n % 2:
            key = f"hot{n // 2 % HOT_KEYS}"
        elif n % 10 == 4:
            return f"own{n - 2}", None  # the record before the last one
        else:
            key = f"own{n}"
        return key, b"%s %d " % (key.encode(), n) + b"." * self.size

    def topic_bytes(self) -> int:
        return sum(len(key) + len(value) for key, value in self.rows.items())

    def begin(self) -> None:
        if self._thread:
            return
        self._halt.clear()
        self._thread = threading.Thread(target=self._pour)
        self._thread.start()

    def end(self) -> None:
        """Returns when Kafka has everything."""
        self._halt.set()
        if self._thread:
            self._thread.join()
        self._thread = None
        if self._failure:
            raise self._failure

    def begin_anew(self) -> None:
        """In a topic that is empty, and that a producer may have missed."""
        self._producer = self.kafka.new_producer()
        self.rows.clear()
        self._home.clear()
        self.begin()

    def _pour(self) -> None:
        try:
            while not self._halt.wait(self.interval_s):
                self.write(BATCH)
        except BaseException as failure:
            self._failure = failure


class Footprint(NamedTuple):
    descriptors: int
    kb: int

    def __str__(self) -> str:
        return f"{self.descriptors:+}/{self.kb:+} KB"


class Tally(NamedTuple):
    """What the clients have counted, all together."""

    lost: int = 0  # rows that are not as they should be
    repeated: int = 0
    gaps: int = 0
    resets: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self._asdict().items())


class Drill:
    """open, fault as often as needed, settle: in this order, with some traffic written before."""

    links = 1  # Unix sockets of a responder without streams

    def __init__(
        self, traffic: Traffic, pool: list[Responder], front: Front, tables: Iterable[Table]
    ):
        self.traffic, self.pool, self.front = traffic, pool, front
        self.crowd = Crowd(tables)
        self.tables = self.crowd.tables

    def open(self, to_nothing: bool = False) -> None:
        """Everybody comes, sees the topic's state, leaves, and comes again: what the servers take
        after the first visit is what they may take after the last one. to_nothing: there is no
        state to be seen yet."""
        for server in (*self.pool, self.front):
            server.start()
        HttpReader(self.front.http, "/").wait_end().close()  # it listens before it is complete
        self._front_without_clients = descriptors(self.front.pid)
        seen = self.all_started if to_nothing else self.all_right
        self.crowd.open()
        self.crowd.run(seen, what="the first visit")
        self._everybody_leaves()
        self._before, self._before_kb = self._footprints(), self._memory_for_records()
        self.crowd.open()
        self.crowd.run(seen, what="the second visit")
        if not to_nothing:
            self.flow()

    def fault(self, *steps: Callable[[], object]) -> None:
        """One step after the other, and clients and traffic go on meanwhile."""
        for step in steps:
            self.crowd.meanwhile(step)
        self.flow()

    def wait_until_asked(self, responder: Responder) -> None:
        """Until lighttpd, which takes some time, has found out that it is there again."""

        def asked() -> bool:
            request = HttpReader(self.front.http).wait_head()
            try:
                return unix_connections(responder.pid) > self.links
            finally:
                request.close()

        wait_until(asked, what=f"a request for {responder.name}")

    def wait_until_all_have_returned(self) -> float:
        """At least once from now on; how long that took."""
        visits = [table.streams for table in self.tables]
        return self.crowd.run(
            lambda: all(table.streams > n for table, n in zip(self.tables, visits)),
            what="everybody's return",
        )

    def settle(self, resets: int = 0) -> str:
        """Everybody has the topic's state, nobody has seen what must not be, and nothing is left of
        them once they have left. Returns the figures."""
        self.crowd.meanwhile(self.traffic.end)
        began = time.monotonic()
        with suppress(AssertionError):  # the tally says what is missing
            self.crowd.run(self.all_right)
        took = time.monotonic() - began
        tally = self._tally()
        assert tally == Tally(resets=resets * len(self.tables)), str(tally)
        for responder in self.pool:
            wait_until(lambda: all_ready(responder), what="readiness")
        returned = sum(table.streams for table in self.tables) - 2 * len(self.tables)
        self._everybody_leaves()
        left = ", ".join(map(str, self._what_is_left()))
        return f"{returned} returns, settled in {took:.1f} s, {tally}; left {left}"

    def all_started(self) -> bool:
        return all(table.started for table in self.tables)

    def all_right(self) -> bool:
        rows = self.traffic.rows
        return all(table.started and table.rows == rows for table in self.tables)

    def flow(self) -> None:
        """Until everybody is there and some traffic has passed."""
        self.traffic.begin()
        enough = self.traffic.count + 2 * BATCH
        self.crowd.run(lambda: self.traffic.count >= enough and self.all_started(), what="traffic")

    def _tally(self) -> Tally:
        rows = self.traffic.rows
        return Tally(
            sum(len(rows.items() ^ table.rows.items()) for table in self.tables),
            sum(table.repeated for table in self.tables),
            sum(table.gaps for table in self.tables),
            sum(table.resets for table in self.tables),
        )

    def _everybody_leaves(self) -> None:
        self.crowd.close()
        for responder in self.pool:
            wait_until(
                lambda: unix_connections(responder.pid) <= self.links,
                what=f"{responder.name} without streams",
            )
        wait_until(
            lambda: descriptors(self.front.pid) <= self._front_without_clients,
            what="lighttpd without clients",
        )

    def _footprints(self) -> list[Footprint]:
        pids = [server.pid for server in (*self.pool, self.front)]
        return [Footprint(descriptors(pid), resident_kb(pid)) for pid in pids]

    def _memory_for_records(self) -> int:
        """What a responder needs for the records so far, in KB, more than less: the cache has room
        for a superseded record beside each one that is not."""
        traffic = self.traffic
        return 2 * traffic.topic_bytes() // 1024 + min(traffic.bytes // 1024, BACKLOG_KB)

    def _more(self) -> list[Footprint]:
        """Than after the first visit."""
        return [
            Footprint(now.descriptors - was.descriptors, now.kb - was.kb)
            for was, now in zip(self._before, self._footprints())
        ]

    def _what_is_left(self) -> list[Footprint]:
        def are_descriptors_few() -> bool:
            return all(one.descriptors <= LEFT_DESCRIPTORS for one in self._more())

        # A connection to Kafka that was given up is closed by a thread of its own.
        wait_until(are_descriptors_few, what=f"descriptors to be closed: {self._more()}")
        more = self._more()
        records_kb = self._memory_for_records() - self._before_kb
        *pool, front = more
        if not SANITIZED:
            assert all(one.kb < LEFT_KB + records_kb for one in pool), (more, records_kb)
            assert front.kb < LEFT_AT_LIGHTTPD_KB, more
        return more


def all_ready(responder: Responder) -> bool:
    """Of the pool, as far as it knows them."""
    return all(one["ready"] for one in readiness(responder)["responders"])
