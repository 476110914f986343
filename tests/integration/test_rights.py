"""What the brokers do not allow: the missing right is named, once, and one that is given counts."""

import re
from collections.abc import Iterator

import pytest

from helpers import wait_for, wait_until
from secured import SecuredKafka
from test_faults import kafka_lines
from test_health import reasons

PASSWORD = "correct-horse"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    server = SecuredKafka(tmp_path_factory.mktemp("secured"))
    server.first_start()
    server.set_password(PASSWORD)
    yield server
    server.stop()


def troubles(responder) -> list[str]:
    """What the log says is wrong."""
    lines = (re.sub(r"^\S+ (\w+: )kafka: ", r"\1", line) for line in kafka_lines(responder))
    return [line for line in lines if line.startswith(("warn", "error"))]


def test_a_wrong_password_is_not_a_broker_that_does_not_answer(secured, start):
    topic = secured.topic()
    secured.allow(topic, "READ", "DESCRIBE_CONFIGS")
    secured.put(topic, "a", "1")
    responder = start(topic, *secured.options("wrong"), brokers=secured.secured)
    stream = responder.open()
    wait_for(["kafka_refused"], lambda: reasons(responder), timeout=10)
    wait_until(lambda: troubles(responder))
    [line] = troubles(responder)
    assert line.startswith("error: the brokers refuse our credentials: ") and "SASL" in line
    secured.set_password("wrong")
    try:
        assert stream.next().text == "1"
    finally:
        secured.set_password(PASSWORD)
    wait_for([], lambda: reasons(responder))
    assert troubles(responder) == [line]


def test_each_right_that_is_missing_is_named_until_it_is_given(secured, start):
    topic = secured.topic()
    secured.put(topic, "a", "1")
    secured.put(topic, "a", "2")
    responder = start(topic, *secured.options(PASSWORD), brokers=secured.secured)
    stream = responder.open()
    wait_for(["kafka_refused"], lambda: reasons(responder), timeout=10)
    secured.allow(topic, "DESCRIBE")
    named = f"the right READ on topic {topic} is missing"
    wait_until(lambda: named in responder.text(), timeout=10)
    wait_for(["kafka_refused"], lambda: reasons(responder))
    secured.allow(topic, "READ")
    assert {event.text for event in stream.take(2)} == {"1", "2"}, "the settings are not known"
    wait_for([], lambda: reasons(responder))
    described, settings, read = troubles(responder)
    assert described.startswith(f"error: the right DESCRIBE on topic {topic} is missing")
    assert "DESCRIBE_CONFIGS" in settings and topic in settings
    assert read.startswith(f"error: {named}")


def test_a_right_that_is_taken_away_is_noticed_without_traffic(secured, start):
    topic = secured.topic()
    secured.allow(topic, "READ", "DESCRIBE", "DESCRIBE_CONFIGS")
    secured.put(topic, "a", "1")
    responder = start(topic, *secured.options(PASSWORD), brokers=secured.secured)
    stream = responder.open()
    assert stream.next().text == "1"
    wait_for([], lambda: reasons(responder))
    assert not troubles(responder)
    secured.withdraw(topic, "READ")
    wait_for(["kafka_refused"], lambda: reasons(responder), timeout=10)
    [line] = troubles(responder)
    assert line.startswith(f"error: the right READ on topic {topic} is missing")
    secured.put(topic, "b", "2")
    late = responder.open()
    secured.allow(topic, "READ")
    assert stream.next().text == "2"
    assert {event.text for event in late.take(2)} == {"1", "2"}
    wait_for([], lambda: reasons(responder))
    assert troubles(responder) == [line]
