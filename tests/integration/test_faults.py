"""What goes away comes back, and the streams go on by themselves."""

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from eventid import encode
from helpers import cpu_seconds, free_port, wait_for, wait_until
from kafka import Kafka, Record, TwoBrokers, numbered
from responder import Responder
from sse import EventReader, pump
from test_health import reasons


def kafka_lines(responder: Responder) -> list[str]:
    return [line for line in responder.text().splitlines() if " kafka: " in line]


def numbers_until(stream: EventReader, last: int) -> list[int]:
    return [int(event.data) for event in stream.take_until(b"%d" % last, timeout=60)]


# The broker


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_streams_go_on_when_kafka_was_stopped_and_started(kafka, topic, start, note, how):
    """PROTOCOL 6.4."""
    responder = start(topic)
    streams = [responder.open() for _ in range(3)]
    kafka.produce(topic, *numbered(100, keys=100))
    pump(streams, lambda: all(len(s.events) == 100 for s in streams))
    getattr(kafka, how)()
    late = responder.open(encode({0: 50}))  # opened while Kafka is away
    kafka.start()
    kafka.produce(topic, *numbered(100, keys=1000, start=100))
    pump(
        [*streams, late],
        lambda: all(s.events and s.events[-1].text == "199" for s in [*streams, late]),
        60,
    )
    for stream in streams:
        assert [int(event.data) for event in stream.events] == list(range(200))
    assert [int(event.data) for event in late.events] == list(range(50, 200))
    assert 1 <= len(kafka_lines(responder)) <= 20, "the log says it once per change"
    # librdkafka's guess at a connection that ends at once.
    assert "security.protocol" not in responder.text()


def test_kafka_may_be_away_at_the_start(kafka, topic, start):
    kafka.put(topic, "a", "1")
    kafka.stop()
    try:
        responder = start(topic)
        stream = responder.open()
        assert not stream.events
    finally:
        kafka.start()
    assert stream.next(timeout=60).text == "1"


def test_a_responder_without_kafka_serves_and_says_so(start):
    responder = start("events", brokers=f"127.0.0.1:{free_port()}")
    assert responder.open().status == 200
    wait_until(lambda: "kafka" in responder.text().lower(), what="a line about Kafka")


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of this test's own, whose disk it may wipe."""
    (tmp_path / "kafka").mkdir()
    server = Kafka(tmp_path / "kafka")
    server.first_start()
    yield server
    server.stop()


@pytest.mark.parametrize("same_id", [True, False], ids=["same cluster id", "new cluster id"])
def test_a_broker_whose_disk_was_wiped_is_a_reset_and_the_new_topic(own_kafka, start, same_id):
    topic = own_kafka.topic()
    own_kafka.produce(topic, *numbered(100, keys=100))
    responder = start(topic, brokers=own_kafka.brokers)
    streams = [responder.open() for _ in range(3)]
    pump(streams, lambda: all(len(stream.events) == 100 for stream in streams))
    own_kafka.stop()
    cluster_id = own_kafka.cluster_id
    own_kafka.wipe()
    if same_id:
        own_kafka.format(1, cluster_id)
    own_kafka.start()
    assert (own_kafka.cluster_id == cluster_id) == same_id
    own_kafka.connect()
    own_kafka.topic(name=topic)
    own_kafka.produce(topic, *numbered(5, keys=5))
    pump(streams, lambda: all(len(stream.events) == 106 for stream in streams), 60)
    for stream in streams:
        assert_begins_anew(stream.events[100:], 5)
    wait_for([], lambda: reasons(responder))


def assert_begins_anew(events: list, records: int) -> None:
    """A reset, and then what the records 0, 1, 2 ... of one partition are."""
    assert [event.event for event in events] == ["reset"] + ["message"] * records
    assert [event.id for event in events] == [encode({0: n}) for n in range(records + 1)]
    assert [int(event.data) for event in events[1:]] == list(range(records))


# Two brokers


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoBrokers]:
    servers = TwoBrokers(tmp_path_factory.mktemp("cluster"))
    servers.first_start()
    yield servers
    servers.stop()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_leader_that_moves_and_comes_back_costs_nothing(cluster, start, how):
    topic = cluster.topic_of_second()
    responder = start(topic, brokers=cluster.brokers)
    stream = responder.open()
    cluster.produce(topic, *numbered(100, keys=1000))
    assert numbers_until(stream, 99) == list(range(100))
    wait_for(2, lambda: cluster.leader(topic))
    getattr(cluster.second, how)()
    try:
        wait_until(lambda: cluster.leader(topic) == 1, timeout=60, what="the other leader")
        cluster.produce(topic, *numbered(100, keys=1000, start=100))
        assert numbers_until(stream, 199) == list(range(100, 200))
    finally:
        cluster.second.start()
    wait_until(lambda: cluster.leader(topic) == 2, timeout=60, what="the first leader")
    cluster.produce(topic, *numbered(100, keys=1000, start=200))
    assert numbers_until(stream, 299) == list(range(200, 300))
    assert [event.id for event in stream.events] == [encode({0: n}) for n in range(1, 301)]
    assert [int(event.data) for event in responder.open().take(300)] == list(range(300))
    wait_until(lambda: not reasons(responder))


def test_a_partition_without_a_leader_holds_the_others_back_ten_seconds_at_most(cluster, start):
    """PROTOCOL 3.5."""
    topic = cluster.topic_of_both()
    cluster.produce(topic, Record(b"a", b"1", 0), Record(b"b", b"2", 1))
    cluster.second.stop()
    try:
        responder = start(topic, brokers=cluster.brokers)
        stream = responder.open()
        assert stream.next(timeout=30).text == "1"
        cluster.produce(topic, Record(b"a", b"3", 0))
        assert stream.next().text == "3"
    finally:
        cluster.second.start()
    back = stream.next(timeout=60)
    assert (back.text, back.id) == ("2", encode({0: 2, 1: 1}))


# The topic


def test_a_topic_may_be_created_late(kafka, start, note):
    topic = kafka.new_name()
    responder = start(topic)
    stream = responder.open()
    wait_until(lambda: topic in responder.text(), what="the log names the missing topic")
    kafka.topic(name=topic)
    began = kafka.put(topic, "a", "1")
    assert began == 0
    event = stream.next(timeout=60)
    assert event.raw == b"id:AQIAAg==\ndata:1\n\n"
    # Compacted, although that could not be known at the start.
    kafka.produce(topic, *numbered(100, keys=2))
    stream.take_until(b"99")
    assert [event.text for event in responder.open().take(3)] == ["1", "98", "99"]


def test_the_records_of_an_added_partition_arrive(kafka, topic, start):
    kafka.put(topic, "a", "1")
    responder = start(topic)
    stream = responder.open()
    assert stream.next().id == encode({0: 1})
    kafka.add_partitions(topic, 3)
    kafka.produce(topic, Record(b"b", b"2", 2))
    assert stream.next(timeout=60).text == "2"
    kafka.produce(topic, Record(b"c", b"3", 1), Record(b"d", b"4", 0))
    last = stream.take(2, timeout=60)[-1]
    assert last.id == encode({0: 2, 1: 1, 2: 1})
    told = f"info: kafka: topic {topic} has 3 partitions now, it had 1"
    assert sum(told in line for line in kafka_lines(responder)) == 1
    # An id from before the change begins the new partitions at their beginning.
    back = responder.open(encode({0: 1}))
    assert sorted(event.text for event in back.take(3)) == ["2", "3", "4"]


def test_streams_stay_open_without_their_topic(kafka, topic, start):
    """PROTOCOL 6.4."""
    kafka.put(topic, "a", "1")
    responder = start(topic, "--keepalive", "1")
    before = responder.open()
    assert before.next().text == "1"
    kafka.delete_topic(topic)
    wait_until(lambda: reasons(responder) == ["topic_missing"], timeout=60)
    late = responder.open()
    quiet = len(before.comments)
    pump([before, late], lambda: min(len(before.comments) - quiet, len(late.comments)) >= 3)
    assert len(before.events) == 1 and not late.events
    assert sum("does not exist" in line for line in kafka_lines(responder)) == 1


def test_a_topic_made_again_once_that_was_noticed_may_be_longer_than_before(kafka, topic, start):
    kafka.produce(topic, *numbered(10, keys=10))
    responder = start(topic)
    stream = responder.open()
    stream.take(10)
    kafka.delete_topic(topic)
    wait_until(lambda: reasons(responder) == ["topic_missing"], timeout=60)
    late = responder.open()  # while there is none
    kafka.topic(name=topic)
    kafka.produce(topic, *numbered(100, keys=100))
    assert_begins_anew(stream.take(101, timeout=60), 100)
    assert [int(event.data) for event in late.take(100)] == list(range(100))
    assert len(responder.open().take(100)) == 100


@pytest.mark.parametrize("partitions, then", [(1, 1), (3, 1), (1, 3)])
def test_a_topic_made_again_at_once_is_noticed_if_it_is_shorter(kafka, start, partitions, then):
    topic = kafka.topic(partitions)
    kafka.produce(topic, *spread(numbered(90, keys=90), partitions))
    responder = start(topic)
    streams = [responder.open() for _ in range(3)]
    pump(streams, lambda: all(len(stream.events) == 90 for stream in streams))
    kafka.delete_topic(topic)
    kafka.topic(then, name=topic)
    kafka.produce(topic, *spread(numbered(12, keys=12), then))
    streams.append(late := responder.open(streams[0].events[-1].id))  # with an id of before
    fresh = responder.open()
    pump([*streams, fresh], lambda: all(has_all(stream, 12) for stream in [*streams, fresh]), 60)
    for stream in streams:
        names = [event.event for event in stream.events]
        assert names.count("reset") == 1, names
        anew = stream.events[names.index("reset") :]
        assert anew[0].id == encode(dict.fromkeys(range(then), 0))
        assert sorted(int(event.data) for event in anew[1:]) == list(range(12))
    assert len(late.events) in (13, 103), "it may have come before that was noticed"
    assert "was made again" in responder.text() or "does not exist" in responder.text()


def spread(records: Iterable[Record], partitions: int) -> Iterator[Record]:
    return (record._replace(partition=n % partitions) for n, record in enumerate(records))


def has_all(stream: EventReader, records: int) -> bool:
    """Of the topic that there is now."""
    names = [event.event for event in stream.events]
    last = len(names) - 1 - names[::-1].index("reset") if "reset" in names else -1
    data = {event.data for event in stream.events[last + 1 :]}
    return data >= {b"%d" % n for n in range(records)}


def test_a_topic_made_again_may_be_of_another_kind(kafka, topic, start):
    kafka.produce(topic, *numbered(100, keys=2))
    responder = start(topic)
    stream = responder.open()
    stream.take(2)
    kafka.delete_topic(topic)
    kafka.topic(name=topic, config={"cleanup.policy": "delete"})
    kafka.produce(topic, *numbered(10, keys=2))
    assert_begins_anew(stream.take(11, timeout=60), 10)
    assert len(responder.open().take(10)) == 10, "every record now"


# Transactions, besides those of test_replay.py


def transactional(kafka: Kafka, topic: str, **config: object):
    config = {"transaction_timeout_ms": 300_000} | config
    producer = kafka.new_producer(transactional_id=f"by {topic}", **config)
    producer.init_transactions(60)
    producer.begin_transaction()
    return producer


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_a_stream_that_resumes_inside_an_open_transaction(kafka, topic, start, end):
    responder = start(topic)
    kafka.produce(topic, *numbered(10, keys=10))
    producer = transactional(kafka, topic)
    kafka.produce(topic, Record(b"inside", b"inside"), producer=producer)
    kafka.put(topic, "after", "after")
    streams = [responder.open(encode({0: place})) for place in (5, 10)]
    pump(streams, lambda: streams[0].events and streams[0].events[-1].data == b"9")
    assert not streams[1].events
    getattr(producer, f"{end}_transaction")(60)
    for stream, first in zip(streams, (5, 10)):
        seen = [event.text for event in stream.take_until(b"after")]
        inside = ["inside"] if end == "commit" else []
        assert seen == [*map(str, range(first, 10)), *inside, "after"]
        assert stream.events[-1].id == encode({0: 12})


def test_an_open_transaction_lasts_over_a_broker_that_goes_and_comes(kafka, topic, start):
    responder = start(topic)
    kafka.put(topic, "before", "before")
    producer = transactional(kafka, topic)
    kafka.produce(topic, Record(b"inside", b"inside"), producer=producer)
    kafka.put(topic, "after", "after")
    stream = responder.open()
    assert stream.next().text == "before"
    kafka.kill()
    kafka.start()
    fresh = responder.open()
    assert fresh.next(timeout=60).text == "before"
    assert len(stream.events) == 1
    producer.commit_transaction(60)
    for reader in (stream, fresh):
        assert [event.text for event in reader.take(2, timeout=60)] == ["inside", "after"]


def test_a_transaction_whose_producer_is_gone_is_over_when_the_broker_says_so(kafka, topic, start):
    responder = start(topic)
    stream = responder.open()
    producer = transactional(kafka, topic, transaction_timeout_ms=5000)  # time enough to write
    kafka.produce(topic, Record(b"lost", b"lost"), producer=producer)
    kafka.put(topic, "after", "after")
    assert stream.next(timeout=60).text == "after"
    assert len(stream.events) == 1


# What can't be had


@pytest.mark.parametrize("policy, event", [("delete", "gap"), ("compact,delete", "reset")])
def test_what_kafka_deleted_before_it_was_read_is_told(kafka, start, policy, event):
    """A responder that was stopped for long finds the log's beginning further on. PROTOCOL 3.15."""
    topic = kafka.topic(config={"cleanup.policy": policy})
    responder = start(topic)
    stream = responder.open()
    kafka.produce(topic, *numbered(10, keys=100))
    stream.take(10)
    os.kill(responder.pid, signal.SIGSTOP)
    try:  # librdkafka has asked for the next megabyte already
        kafka.produce(topic, *numbered(90, keys=100, size=50_000, start=10))
        kafka.delete_records(topic, 60)
    finally:
        os.kill(responder.pid, signal.SIGCONT)
    events = stream.take_until(b"99 ".ljust(50_000, b"."), timeout=60)
    read = [int(event.data.split()[0]) for event in events if event.event == "message"]
    missing = [n for n in range(10, 100) if n not in read]
    assert missing == list(range(missing[0], 60)), read
    # What it had read of that is deleted key by key.
    [told] = [event for event in events if event.event not in ("message", "delete")]
    assert (told.event, told.id) == (event, encode({0: 60}))
    if event == "gap":
        assert json.loads(told.data) == {"partition": 0, "from": missing[0], "to": 60}


def dropped(responder) -> list[str]:
    return [line for line in kafka_lines(responder) if "dropped" in line]


def test_many_partitions_whose_records_were_dropped_are_a_few_lines(kafka, start):
    topic = kafka.log_topic(8)
    responder = start(topic)
    stream = responder.open()
    kafka.produce(topic, *spread(numbered(8, keys=8), 8))
    stream.take(8)
    os.kill(responder.pid, signal.SIGSTOP)
    try:
        kafka.produce(topic, *spread(numbered(8 * 40, keys=8, size=50_000), 8))
        kafka.delete_records(topic, 36, partitions=8)
    finally:
        os.kill(responder.pid, signal.SIGCONT)
    pump([stream], lambda: sum(event.event == "gap" for event in stream.events) == 8, 60)
    wait_for([], lambda: reasons(responder))
    wait_until(lambda: dropped(responder), what="a line about them")
    kafka.produce(topic, *spread(numbered(8, keys=8), 8))
    stream.take(8 * 5 + 8)  # each partition goes on, so its line is there
    assert len(dropped(responder)) < 8, "one for each survey that finds some, not for each partition"


SMALL_LIMITS = ["-X", "receive.message.max.bytes=2000000", "-X", "fetch.max.bytes=1000000"]
SMALL_LIMITS += ["-X", "message.max.bytes=1000000", "-X", "fetch.message.max.bytes=1000000"]


def test_a_record_over_the_size_limit_is_noticed_and_harms_no_other_partition(kafka, start):
    topic = kafka.topic(2, config={"max.message.bytes": "9000000"})
    responder = start(topic, "--keepalive", "1", *SMALL_LIMITS)
    stream = responder.open()
    kafka.put(topic, "a", "1")
    assert stream.next().text == "1"
    kafka.produce(topic, Record(b"large", b"x" * 5_000_000))
    kafka.put(topic, "b", "2", partition=1)
    assert stream.next(timeout=60).text == "2"
    before, began = cpu_seconds(responder.pid), time.monotonic()
    wait_until(lambda: "consumer_stuck" in reasons(responder), timeout=120)
    used, took = cpu_seconds(responder.pid) - before, time.monotonic() - began
    assert used < took / 4, "it tries on in peace"
    assert f"{topic}[0]" in responder.text()
    assert len(kafka_lines(responder)) < 10
    kafka.put(topic, "c", "3", partition=1)
    assert stream.next(timeout=60).text == "3"
    comments = len(stream.comments)
    stream.wait(lambda: len(stream.comments) > comments)


def test_a_batch_that_unpacks_to_too_much_is_told_with_the_setting_that_helps(kafka, start):
    topic = kafka.topic(2, config={"max.message.bytes": "9000000"})
    responder = start(topic, *SMALL_LIMITS)
    stream = responder.open()
    zeros = Record(b"zeros", bytes(5_000_000))
    kafka.produce(topic, zeros, producer=kafka.new_producer(compression_type="zstd"))
    kafka.put(topic, "b", "2", partition=1)
    assert stream.next(timeout=60).text == "2"
    wait_until(lambda: "consumer_stuck" in reasons(responder), timeout=120)
    [told] = [line for line in kafka_lines(responder) if "is stuck" in line]
    assert f"{topic}[0]" in told and "receive.message.max.bytes" in told
