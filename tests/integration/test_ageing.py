"""Keys that the broker drops by age (cleanup.policy=compact,delete): deletes, for all who had them."""

import base64
import time
from collections.abc import Iterator

import pytest

from eventid import encode, with_key
from kafka import Kafka, Record

KEPT_MS = 60_000
# An hour old: as the broker looks for what is too old, it is; and what comes now begins a segment.
HOUR_AGO_MS = int(time.time() * 1000) - 3_600_000
SETTINGS = {"cleanup.policy": "compact,delete", "segment.ms": "60000"}

FORMS = {"progress": lambda key, place: place, "key": with_key}


@pytest.fixture(scope="module")
def cleaning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that looks several times a second for what is too old."""
    server = Kafka(tmp_path_factory.mktemp("cleaning"))
    server.first_start("log.cleaner.enable=true", "log.cleaner.backoff.ms=200")
    yield server
    server.stop()


def old(key: bytes, value: bytes) -> Record:
    return Record(key, value, timestamp=HOUR_AGO_MS)


def name(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


@pytest.mark.parametrize("form", FORMS)
def test_keys_that_age_out_are_deleted_on_open_pages_and_on_those_that_come_back(
    cleaning, start, form
):
    """PROTOCOL 3.17."""
    topic = cleaning.topic(config=SETTINGS | {"retention.ms": "-1"})
    responder = start(topic, "--event-id", form, brokers=cleaning.brokers)
    page, away = responder.open(), responder.open()
    cleaning.produce(topic, old(b"a", b"1"), old(b"b", b"1"), old(b"c", b"1"))
    assert [len(stream.take(3)) for stream in (page, away)] == [3, 3]
    cleaning.produce(topic, Record(b"b", b"2"), Record(b"d", b"2"))
    assert [len(stream.take(2)) for stream in (page, away)] == [2, 2]
    away.close()

    cleaning.alter(topic, SETTINGS | {"retention.ms": str(KEPT_MS)})
    place = encode({0: 5})
    aged = [("delete", name(key), FORMS[form](key, place)) for key in (b"a", b"c")]
    assert [(event.event, event.text, event.id) for event in page.take(2)] == aged
    cleaning.put(topic, "e", "3")
    assert page.next().text == "3", "nothing else was deleted"

    told = [*(change[:2] for change in aged), ("message", "3")]
    # Of two deletes at one place nobody knows which a client has had that comes back from there.
    for seen in (away.events[-1], *page.events[-3:-1]):
        back = responder.open(seen.id)
        assert [(event.event, event.text) for event in back.take(3)] == told
    assert [event.text for event in responder.open().take(3)] == ["2", "2", "3"]


def test_who_comes_to_a_responder_that_was_started_after_keys_have_aged_is_reset(cleaning, start):
    """PROTOCOL 3.17."""
    topic = cleaning.topic(config=SETTINGS | {"retention.ms": "-1"})
    before = start(topic, brokers=cleaning.brokers)
    page, away = before.open(), before.open()
    cleaning.produce(topic, old(b"a", b"1"))
    cleaning.produce(topic, Record(b"b", b"1"), Record(b"c", b"1"))
    assert [len(stream.take(3)) for stream in (page, away)] == [3, 3]
    away.close()
    cleaning.alter(topic, SETTINGS | {"retention.ms": str(KEPT_MS)})
    assert page.next().event == "delete"

    after = start(topic, brokers=cleaning.brokers)
    for seen in away.events:
        reset, *rest = after.open(seen.id).take(3)
        assert reset.event == "reset" and '"deletes_unknown"' in reset.text
        assert [event.text for event in rest] == ["1", "1"]
    assert [event.text for event in after.open().take(2)] == ["1", "1"]


@pytest.mark.parametrize("form", FORMS)
def test_a_topic_whose_keys_have_all_aged_out_is_empty_on_every_page(cleaning, start, form):
    topic = cleaning.topic(config=SETTINGS | {"retention.ms": "-1"})
    cleaning.produce(topic, *(old(b"%d" % n, b"v") for n in range(20)))
    pool = [start(topic, "--event-id", form, brokers=cleaning.brokers) for _ in range(2)]
    pages = [responder.open() for responder in pool]
    for page in pages:
        page.take(20)
    cleaning.alter(topic, SETTINGS | {"retention.ms": str(KEPT_MS)})
    for page in pages:
        aged = {(event.event, event.text) for event in page.take(20)}
        assert aged == {("delete", name(b"%d" % n)) for n in range(20)}
    cleaning.put(topic, "7", "new")
    assert [page.next().text for page in pages] == ["new", "new"]
    for page, other in zip(pages, reversed(pool)):
        *deletes, last = other.open(page.events[19].id).take(20)
        assert {(event.event, event.text) for event in deletes} == aged - {("delete", name(b"7"))}
        assert last.text == "new"
        assert other.open().next().text == "new"
