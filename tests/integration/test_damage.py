"""Records that were damaged, on the broker's disk as on their way."""

from collections.abc import Iterator

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


def test_a_damaged_record_is_not_shown_until_it_is_whole(fragile, start):
    topic = fragile.topic(partitions=2)
    for n, text in enumerate((b"before", b"damaged", b"after")):
        fragile.produce(topic, Record(b"%d" % n, text))
    fragile.put(topic, "k", "another partition", partition=1)
    fragile.stop()
    segment = fragile.directory / "data" / f"{topic}-0" / f"{0:020}.log"
    whole = segment.read_bytes()
    assert whole.count(b"damaged") == 1
    segment.write_bytes(whole.replace(b"damaged", b"DAMAGED"))
    fragile.start()
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
