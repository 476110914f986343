"""What a fresh stream gets: the newest record of each key, then everything that comes."""

import threading
import time

import pytest

from eventid import decode, encode
from kafka import Kafka, Record, numbered
from sse import pump


def test_a_thousand_updates_of_five_keys_are_five_events(kafka, topic, start):
    """PROTOCOL 3.2."""
    kafka.produce(topic, *numbered(1000, keys=5))
    stream = start(topic).open()
    events = stream.take(5)
    assert [event.text for event in events] == ["995", "996", "997", "998", "999"]
    assert [event.id for event in events] == [encode({0: n}) for n in range(996, 1001)]
    kafka.put(topic, "k0", "live")
    assert stream.next().text == "live"


def test_the_order_is_that_of_the_log_not_of_the_keys(kafka, topic, start):
    """PROTOCOL 3.2."""
    for key, value in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "5")]:
        kafka.put(topic, key, value)
    assert [event.text for event in start(topic).open().take(3)] == ["3", "4", "5"]


def test_each_partition_keeps_its_order_and_its_own_keys(kafka, start):
    """PROTOCOL 3.1."""
    topic = kafka.topic(3)
    kafka.produce(topic, *(Record(b"same", b"%d %d" % (n, n % 3), n % 3) for n in range(300)))
    kafka.produce(
        topic, *(Record(b"%d" % n, b"%d %d" % (n, n % 3), n % 3) for n in range(300, 600))
    )
    stream = start(topic).open()
    values = [tuple(map(int, event.text.split())) for event in stream.take(303)]
    for partition in range(3):
        own = [n for n, p in values if p == partition]
        assert own == sorted(own)
        assert own[0] == 297 + partition, "one record of the key that all partitions have"


def test_every_record_of_a_topic_that_is_not_compacted_is_replayed(kafka, start):
    """PROTOCOL 3.3."""
    topic = kafka.log_topic()
    kafka.produce(topic, *numbered(1000, keys=5))
    events = start(topic).open().take(1000)
    assert [int(event.data) for event in events] == list(range(1000))


@pytest.mark.parametrize(
    "policy, option, replayed",
    [("compact", "off", 10), ("delete", "on", 2), ("compact,delete", "auto", 2)],
)
def test_what_is_compacted_follows_the_topic_or_the_option(kafka, start, policy, option, replayed):
    topic = kafka.topic(config={"cleanup.policy": policy})
    kafka.produce(topic, *numbered(10, keys=2))
    kafka.put(topic, "end", "end")
    events = start(topic, "--compact", option).open().take_until(b"end")
    assert len(events) == replayed + 1


def test_a_fresh_stream_does_not_get_old_deletes(kafka, topic, start):
    """PROTOCOL 3.2."""
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    kafka.put(topic, "a", None)
    responder = start(topic)
    stream = responder.open()
    kafka.put(topic, "end", "end")
    assert [event.text for event in stream.take_until(b"end")] == ["2", "end"]
    # A second one, when the delete has long been in the cache.
    again = responder.open().take(2)
    assert [(event.text, event.id) for event in again] == [
        ("2", encode({0: 2})),
        ("end", encode({0: 4})),
    ]


def test_a_key_that_is_written_again_after_its_delete_is_there(kafka, topic, start):
    for value in ("1", None, "2"):
        kafka.put(topic, "a", value)
    assert start(topic).open().next().text == "2"


def test_an_open_stream_gets_a_delete_live(kafka, topic, start):
    kafka.put(topic, "a", "1")
    stream = start(topic).open()
    assert stream.next().text == "1"
    kafka.put(topic, "a", None)
    assert stream.next().event == "delete"


def test_nothing_superseded_before_the_start_is_shown(kafka, start):
    """A stream that waits while the cache loads gets the topic as it was at the start.
    PROTOCOL 3.4."""
    topic = kafka.topic(4)
    kafka.produce(topic, *(r._replace(partition=n % 4) for n, r in enumerate(numbered(40_000, 4))))
    responder = start(topic)
    streams = [responder.open() for _ in range(20)]
    pump(streams, lambda: all(len(stream.events) >= 4 for stream in streams))
    for stream in streams:
        assert sorted(int(e.data) for e in stream.events) == [39_996, 39_997, 39_998, 39_999]


class Producing:
    """Records that pour in while something else happens."""

    def __init__(self, kafka: Kafka, topic: str, keys: int, partitions: int = 1, first: int = 0):
        self.count = first
        self._halt = threading.Event()
        self._arguments = (kafka, topic, keys, partitions)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        kafka, topic, keys, partitions = self._arguments
        producer = kafka.new_producer()
        while not self._halt.is_set():
            batch = numbered(50, keys, start=self.count)
            records = (r._replace(partition=n % partitions) for n, r in enumerate(batch))
            kafka.produce(topic, *records, producer=producer)
            self.count += 50

    def __enter__(self) -> "Producing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self._thread.join()


def test_replay_and_live_join_without_loss_or_repetition(kafka, start):
    """Streams opened while records pour in: each gets 0, 1, 2 ... to the end, whenever it came.
    PROTOCOL 3.1."""
    topic = kafka.log_topic()
    kafka.produce(topic, *numbered(5000, keys=5000))
    responder = start(topic)
    streams = []
    with Producing(kafka, topic, keys=1 << 30, first=5000) as producing:
        for _ in range(20):
            streams.append(responder.open())
            at = len(streams[0].events) + 200
            pump(streams, lambda: len(streams[0].events) >= at)
    total = producing.count
    pump(streams, lambda: all(len(s.events) >= total for s in streams), timeout=120)
    for stream in streams:
        assert [int(event.data) for event in stream.events] == list(range(total))
        assert [event.id for event in stream.events] == [encode({0: n + 1}) for n in range(total)]


def test_replay_and_live_join_on_a_compacted_topic(kafka, start):
    """With updates of few keys: whatever is left out was superseded, and the end is the same."""
    topic = kafka.topic(3)
    kafka.produce(topic, *(Record(b"x", b"0", partition) for partition in range(3)))
    responder = start(topic)
    streams = [responder.open()]
    with Producing(kafka, topic, keys=7, partitions=3):
        for _ in range(20):
            streams.append(responder.open())
            at = len(streams[0].events) + 100
            pump(streams, lambda: len(streams[0].events) >= at)
    ends = kafka.produce(topic, *(Record(b"end", b"end", partition) for partition in range(3)))
    last = encode({partition: end + 1 for partition, end in enumerate(ends)})
    pump(streams, lambda: all(s.events and s.events[-1].id == last for s in streams), timeout=120)
    for stream in streams:
        place = dict.fromkeys(range(3), 0)
        for event in stream.events:
            now = decode(event.id)
            assert now != place and all(now[p] >= place[p] for p in place), f"back at {event}"
            place = now


# Transactions


@pytest.fixture
def transaction(kafka, topic):
    producer = kafka.new_producer(transactional_id=f"by {topic}")
    producer.init_transactions(60)
    producer.begin_transaction()
    return producer


def test_an_aborted_record_is_never_shown(kafka, topic, start, transaction):
    """PROTOCOL 3.16."""
    live = start(topic).open()
    kafka.put(topic, "a", "before")
    kafka.produce(topic, Record(b"a", b"aborted"), producer=transaction)
    transaction.abort_transaction(60)
    after = kafka.put(topic, "b", "after")
    fresh = start(topic).open()
    for stream in (live, fresh):
        events = stream.take_until(b"after")
        assert [event.text for event in events] == ["before", "after"]
        assert [event.id for event in events] == [encode({0: 1}), encode({0: after + 1})]


def test_an_open_transaction_holds_back_what_follows_it_and_no_more(
    kafka, topic, start, transaction
):
    kafka.put(topic, "a", "before")
    kafka.produce(topic, Record(b"b", b"inside"), producer=transaction)
    kafka.put(topic, "c", "after")
    stream = start(topic).open()
    assert stream.next().text == "before"
    assert len(stream.events) == 1
    transaction.commit_transaction(60)
    assert [event.text for event in stream.take(2)] == ["inside", "after"]


def test_a_stream_starts_behind_a_transaction_that_ended_last(kafka, topic, start, transaction):
    """The log's end is a marker then, which no consumer ever sees."""
    kafka.produce(topic, Record(b"a", b"inside"), producer=transaction)
    transaction.commit_transaction(60)
    stream = start(topic).open()
    assert stream.next().raw == b"id:AQIAAg==\ndata:inside\n\n"


# Delays


@pytest.mark.parametrize("pause", [0, 0.03], ids=["one after the other", "after a quiet time"])
def test_an_event_is_live_within_milliseconds_of_the_append(kafka, topic, start, note, pause):
    stream = start(topic).open()
    kafka.put(topic, "warm", "up")
    stream.next()
    delays = []
    for n in range(100):
        time.sleep(pause)  # longer than the interval of flushes, or not at all
        kafka.put(topic, "k", str(n))
        acknowledged = time.monotonic()
        delays.append((stream.next().at - acknowledged) * 1000)
    delays.sort()
    note("delay from the append, ms p50/p99", f"{delays[50]:.1f}/{delays[98]:.1f}")
