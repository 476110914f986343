"""Another history at the same offsets: an unclean leader election, by which records are lost that were
shown, and a topic that was made again before anybody has seen that it was gone."""

from collections.abc import Iterator

import pytest

from helpers import ABSENT_REASON, wait_for
from kafka import LIBRDKAFKA, Record, ThreeBrokers, numbered
from sse import EventReader, pump
from test_faults import assert_begins_anew, has_all
from test_health import reasons

KEPT, LOST = 100, 50


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    servers = ThreeBrokers(tmp_path_factory.mktemp("histories"))
    servers.first_start()
    yield servers
    servers.stop()


@pytest.fixture
def topic(three: ThreeBrokers) -> Iterator[str]:
    """The second broker leads it."""
    topic = three.unclean_topic()
    three.produce(topic, *numbered(KEPT, keys=KEPT))
    yield topic
    three.second.start()
    wait_for(2, lambda: three.in_sync(topic))


def lose_the_newest(three: ThreeBrokers, topic: str, streams: list[EventReader]) -> None:
    """Records that all streams get, and the third broker does not."""
    three.third.stop()
    three.produce(topic, *(Record(b"lost%d" % n, b"lost") for n in range(LOST)))
    pump(streams, lambda: all(len(stream.events) == KEPT + LOST for stream in streams))
    three.second.stop()
    three.third.start()


def go_on(three: ThreeBrokers, topic: str, until: int) -> None:
    """By a producer that knows nothing of the records that are lost."""
    producer = three.new_producer()
    three.produce(topic, *numbered(until - KEPT, until, start=KEPT), producer=producer)


def was_reset(stream: EventReader) -> bool:
    return any(event.event == "reset" for event in stream.events)


def assert_begun_anew(stream: EventReader, records: int) -> None:
    names = [event.event for event in stream.events]
    assert names.count("reset") == 1, names
    assert_begins_anew(stream.events[names.index("reset") :], records)


def test_streams_are_reset_if_the_log_ends_below_what_they_have(three, topic, start):
    """PROTOCOL 3.20."""
    responder = start(topic, brokers=three.brokers)
    streams = [responder.open() for _ in range(3)]
    pump(streams, lambda: all(len(stream.events) == KEPT for stream in streams))
    lose_the_newest(three, topic, streams)
    pump(streams, lambda: all(was_reset(stream) for stream in streams), 60)
    go_on(three, topic, KEPT + 5)
    pump(streams, lambda: all(has_all(stream, KEPT + 5) for stream in streams))
    for stream in streams:
        assert_begun_anew(stream, KEPT + 5)
    fresh = responder.open().take(KEPT + 5)
    assert [int(event.data) for event in fresh] == list(range(KEPT + 5))
    wait_for([], lambda: reasons(responder))
    assert "starting anew" in responder.text()


@pytest.mark.skipif(LIBRDKAFKA < 0x02010000, reason=f"leaders' epochs are {ABSENT_REASON}")
def test_streams_are_reset_if_the_log_has_grown_again_by_then(three, topic, start):
    """PROTOCOL 3.20."""
    responder = start(topic, brokers=three.brokers)
    streams = [responder.open() for _ in range(3)]
    pump(streams, lambda: all(len(stream.events) == KEPT for stream in streams))
    lose_the_newest(three, topic, streams)
    grown = 3 * (KEPT + LOST)
    go_on(three, topic, grown)
    pump(streams, lambda: all(has_all(stream, grown) for stream in streams), 60)
    for stream in streams:
        assert_begun_anew(stream, grown)
    fresh = responder.open().take(grown)
    assert [int(event.data) for event in fresh] == list(range(grown))
    wait_for([], lambda: reasons(responder))


@pytest.mark.skipif(LIBRDKAFKA < 0x02030000, reason=f"topics' ids are {ABSENT_REASON}")
@pytest.mark.parametrize("records", [5, 200])
def test_a_topic_made_again_at_once_may_be_longer_and_of_lower_epochs(kafka, start, records):
    topic = kafka.topic()
    kafka.produce(topic, *numbered(KEPT, keys=KEPT))
    kafka.stop()
    kafka.start()  # its leader is of another epoch from now on
    responder = start(topic)
    stream = responder.open()
    stream.take(KEPT)
    kafka.delete_topic(topic)
    kafka.topic(name=topic)
    kafka.produce(topic, *numbered(records, keys=records))
    pump([stream], lambda: was_reset(stream) and has_all(stream, records), 60)
    assert_begun_anew(stream, records)
    fresh = responder.open().take(records)
    assert [int(event.data) for event in fresh] == list(range(records))
    wait_for([], lambda: reasons(responder))
