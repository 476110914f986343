"""Records that were damaged, on the broker's disk as on their way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import wait_until
from kafka import Kafka, Record
from test_health import reasons


@pytest.fixture
def fragile(tmp_path) -> Iterator[Kafka]:
    server = Kafka(tmp_path / "fragile")
    server.directory.mkdir()
    server.first_start()
    yield server
    server.stop()


def damaged_topic(kafka: Kafka) -> tuple[str, Path, bytes]:
    """Its first partition's second record is damaged; its segment's file, and what is to be in it."""
    topic = kafka.topic(partitions=2)
    for n, text in enumerate((b"before", b"damaged", b"after")):
        kafka.produce(topic, Record(b"%d" % n, text))
    kafka.put(topic, "k", "another partition", partition=1)
    kafka.stop()
    segment = kafka.directory / "data" / f"{topic}-0" / f"{0:020}.log"
    whole = segment.read_bytes()
    assert whole.count(b"damaged") == 1
    segment.write_bytes(whole.replace(b"damaged", b"DAMAGED"))
    kafka.start()
    return topic, segment, whole


def test_a_damaged_record_is_not_shown_until_it_is_whole(fragile, start):
    topic, segment, whole = damaged_topic(fragile)
    responder = start(topic, brokers=fragile.brokers)
    stream = responder.open()
    assert stream.next().text == "another partition"
    wait_until(lambda: reasons(responder) == ["consumer_stuck"])
    told = [line for line in responder.text().splitlines() if "failed CRC32C check" in line]
    assert len(told) == 1 and f"{topic}[0] is stuck at 1" in told[0]

    careless = start(topic, "-X", "check.crcs=false", brokers=fragile.brokers)
    shown = {event.text for event in careless.open().take(4)}
    assert shown == {"before", "DAMAGED", "after", "another partition"}

    segment.write_bytes(whole)
    assert [event.text for event in stream.take(3)] == ["before", "damaged", "after"]
    wait_until(lambda: not reasons(responder))


def test_a_damaged_record_is_passed_when_it_is_deleted_on_the_broker(fragile, start):
    topic, *_ = damaged_topic(fragile)
    responder = start(topic, brokers=fragile.brokers)
    stream = responder.open()
    assert stream.next().text == "another partition"
    wait_until(lambda: reasons(responder) == ["consumer_stuck"])
    with pytest.raises(AssertionError, match="PolicyViolation"):
        fragile.delete_records(topic, 2)
    fragile.alter(topic, {"cleanup.policy": "compact,delete", "retention.ms": "-1"})
    fragile.delete_records(topic, 2)
    assert stream.next().text == "after"
    fragile.put(topic, "new", "new")
    assert stream.next().text == "new"
    wait_until(lambda: not reasons(responder))
