"""A topic of as many partitions as an event id can name, and one more."""

import json
from collections.abc import Iterator

import pytest

from clients import CurlReader
from eventid import decode, encode
from helpers import wait_until
from kafka import Kafka, Record
from lighttpd import CA
from sse import HttpReader
from test_health import readiness, reasons

MOST = 2000


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of its own: thousands of partitions would slow all other tests."""
    server = Kafka(tmp_path_factory.mktemp("wide"))
    server.first_start()
    yield server
    server.stop()


def readers(server, event_id: str) -> list:
    """A stream each, with the id as a header over HTTP/1.1 and over HTTP/2, and in the URL."""
    header = ["-H", f"Last-Event-ID: {event_id}"]
    return [
        HttpReader(server.http, headers={"Last-Event-ID": event_id}),
        CurlReader(f"{server.https_url}/events", "--http2", "--cacert", str(CA), *header),
        HttpReader(server.http, target=f"/events?lastEventId={event_id}"),
    ]


def test_a_topic_of_2000_partitions_is_served_and_not_the_2001st(wide, start, front, note):
    """PROTOCOL 2.16."""
    topic = wide.topic(MOST, config={"segment.index.bytes": "1000"})
    producer = wide.new_producer(linger_ms=1000)
    wide.produce(topic, *(Record(b"k", b"%d" % n, n) for n in range(MOST)), producer=producer)
    responder = start(topic, brokers=wide.brokers)
    server = front(topic, [responder])
    stream = HttpReader(server.http)
    assert sorted(int(event.text) for event in stream.take(MOST)) == list(range(MOST))
    wait_until(lambda: not reasons(responder))

    last = stream.events[-1].id
    assert decode(last) == dict.fromkeys(range(MOST), 1)
    assert len(last) == 7920
    wide.put(topic, "k", "live", partition=MOST - 1)
    assert stream.next().text == "live"
    for reader in readers(server, last):
        assert reader.next().text == "live"
        reader.close()

    longest = encode(dict.fromkeys(range(MOST), 2**63 - 1))
    assert len(longest) < 32 * 1024
    assert len(encode(dict.fromkeys(range(MOST), 17_000_000_000))) < 19 * 1024
    for reader in readers(server, longest):
        assert json.loads(reader.next().data)["reason"] == "id_beyond_end"
        reader.close()

    wide.add_partitions(topic, MOST + 1)
    wait_until(lambda: reasons(responder) == ["too_many_partitions"])
    [me] = readiness(responder)["responders"]
    note("readiness", me["details"])
    said = "has 2001 partitions, but an event id can name 2000 at most: "
    assert f"topic {topic} {said}those that are new are not read" in responder.text()
    wide.put(topic, "k", "new", partition=MOST)
    wide.put(topic, "k", "old", partition=0)
    assert stream.next().text == "old"

    late = start(topic, brokers=wide.brokers)
    wait_until(lambda: "too_many_partitions" in reasons(late))
    assert f"topic {topic} {said}it is not served" in late.text()
    for one in (responder, late):
        assert one.text().count(said) == 1
