"""A link to Kafka that takes its time."""

from collections.abc import Iterator

import pytest

from helpers import wait_for, wait_until
from kafka import KafkaBehind, numbered
from proxy import LIST_OFFSETS, PASS, Fate
from test_faults import kafka_lines
from test_health import reasons


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBehind]:
    server = KafkaBehind(tmp_path_factory.mktemp("behind"))
    server.first_start()
    yield server
    server.stop()
    server.proxy.stop()


def complaints(responder) -> list[str]:
    return [line for line in kafka_lines(responder) if " info: " not in line]


def test_a_link_that_needs_more_than_a_second_for_an_answer_works(behind, start):
    topic = behind.topic()
    behind.produce(topic, *numbered(100, keys=5))
    behind.proxy.fate = lambda request: Fate(delay=1.2)
    responder = start(topic, "--compact", "on", brokers=behind.brokers)
    stream = responder.open()
    assert [event.text for event in stream.take(5)] == ["95", "96", "97", "98", "99"]
    wait_for([], lambda: reasons(responder))
    behind.put(topic, "live", "live")
    assert stream.next().text == "live"
    assert complaints(responder) == []
    behind.proxy.fate = lambda request: PASS


def test_answers_about_the_end_that_are_late_make_nothing_stuck(behind, start):
    topic = behind.topic()
    behind.put(topic, "a", "1")
    behind.proxy.fate = lambda request: PASS
    responder = start(topic, brokers=behind.brokers)
    stream = responder.open()
    assert stream.next().text == "1"
    asked = behind.proxy.requests.get(LIST_OFFSETS, 0)
    late = Fate(delay=1.3)
    behind.proxy.fate = lambda request: late if request.api_key == LIST_OFFSETS else PASS
    # Idle for some twelve seconds: who stands still is stuck after ten.
    wait_until(lambda: behind.proxy.requests[LIST_OFFSETS] >= asked + 6)
    assert reasons(responder) == []
    behind.put(topic, "b", "2")
    assert stream.next().text == "2"
    assert complaints(responder) == []
    behind.proxy.fate = lambda request: PASS
