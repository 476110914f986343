"""What goes away comes back, and the streams go on by themselves."""

import pytest

from eventid import encode
from helpers import free_port, wait_until
from kafka import Record, numbered
from sse import pump


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_streams_go_on_when_kafka_was_stopped_and_started(kafka, topic, start, note, how):
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
    away = [line for line in responder.text().splitlines() if "kafka" in line.lower()]
    assert 1 <= len(away) <= 20, "the log says it once per change"


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


def test_a_topic_deleted_and_made_again_is_a_reset_and_the_new_topic(kafka, topic, start):
    kafka.produce(topic, *numbered(10, keys=10))
    responder = start(topic)
    stream = responder.open()
    stream.take(10)
    kafka.delete_topic(topic)
    wait_until(lambda: topic in responder.text(), timeout=60, what="the log names the topic")
    kafka.topic(name=topic)
    kafka.put(topic, "new", "new")
    reset = stream.next(timeout=60)
    assert (reset.event, reset.id) == ("reset", encode({0: 0}))
    assert stream.next(timeout=60).raw == b"id:AQIAAg==\ndata:new\n\n"
    assert [event.text for event in responder.open().take(1)] == ["new"]


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
    # An id from before the change begins the new partitions at their beginning.
    back = responder.open(encode({0: 1}))
    assert sorted(event.text for event in back.take(3)) == ["2", "3", "4"]


def test_a_responder_without_kafka_serves_and_says_so(start):
    responder = start("events", brokers=f"127.0.0.1:{free_port()}")
    assert responder.open().status == 200
    wait_until(lambda: "kafka" in responder.text().lower(), what="a line about Kafka")
