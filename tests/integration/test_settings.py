"""The topic's settings: read again, and never in the way of anything else."""

import struct
from collections.abc import Iterator

import pytest

from helpers import wait_until
from kafka import KafkaBehind, numbered
from proxy import DESCRIBE_CONFIGS, PASS, Fate
from sse import pump
from test_health import metrics, readiness, reasons

RETENTION = "delete.retention.ms"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBehind]:
    server = KafkaBehind(tmp_path_factory.mktemp("behind"))
    server.first_start()
    yield server
    server.stop()
    server.proxy.stop()


def refused(error: int, topic: str) -> Fate:
    """DescribeConfigs' answer of version 0 to 3, with nothing but an error in it."""
    name = struct.pack(f">h{len(topic)}s", len(topic), topic.encode())
    return Fate(answer=struct.pack(">iihhb", 0, 1, error, -1, 2) + name + struct.pack(">i", 0))


WAYS = {
    "closes": lambda topic: Fate(close=True),
    "invalid request": lambda topic: refused(42, topic),
    "unsupported version": lambda topic: refused(35, topic),
    "authentication failed": lambda topic: refused(58, topic),
    "never answers": lambda topic: Fate(swallow=True),
}


@pytest.mark.parametrize("option, events", [("off", 10), ("on", 2), ("auto", 10)])
@pytest.mark.parametrize("way", WAYS)
def test_settings_that_cannot_be_had_cost_themselves_alone(behind, start, way, option, events):
    topic = behind.topic(config={"cleanup.policy": "compact"})
    behind.produce(topic, *numbered(10, keys=2))
    proxy, assumed = behind.proxy, option == "auto"
    proxy.fate = lambda request: WAYS[way](topic) if request.api_key == DESCRIBE_CONFIGS else PASS
    proxy.requests.clear()
    connections = proxy.connections
    responder = start(topic, "--compact", option, brokers=behind.brokers)
    stream = responder.open()
    assert len(stream.take(events)) == events
    behind.put(topic, "live", "live")
    assert stream.next().text == "live"
    wait_until(lambda: not reasons(responder))
    told = [line for line in responder.text().splitlines() if "settings of topic" in line]
    assert len(told) == assumed, responder.text()
    [me] = readiness(responder)["responders"]
    assert ("settings_assumed" in me["details"]) == assumed
    assert metrics(responder)['trouble,reason="settings_assumed"'] == assumed
    asked = proxy.requests.get(DESCRIBE_CONFIGS, 0)
    assert asked <= {"off": 0, "on": 2, "auto": 8}[option]
    assert proxy.connections - connections <= 5 + asked


def test_a_right_that_is_granted_late_is_noticed(behind, start):
    topic = behind.topic(config={"cleanup.policy": "compact"})
    behind.produce(topic, *numbered(10, keys=2))
    behind.proxy.fate = lambda request: (
        refused(29, topic) if request.api_key == DESCRIBE_CONFIGS else PASS
    )
    responder = start(topic, brokers=behind.brokers)
    stream = responder.open()
    assert len(stream.take(10)) == 10
    behind.proxy.fate = lambda request: PASS
    assert stream.next().event == "reset"
    assert [event.text for event in stream.take(2)] == ["8", "9"]
    assert "DESCRIBE_CONFIGS" in responder.text()
    assert not readiness(responder)["responders"][0]["details"]


def test_settings_that_change_are_noticed_by_the_whole_pool(kafka, start):
    """PROTOCOL 3.18."""
    table, log = kafka.topic(), kafka.topic(config={"cleanup.policy": "delete"})
    for topic in (table, log):
        kafka.produce(topic, *numbered(10, keys=2))
    hasty = start(table)
    pool = [start(log) for _ in range(2)]
    streams = [responder.open() for responder in pool]
    still = hasty.open()
    pump([*streams, still], lambda: all(len(s.events) == 10 for s in streams) and still.events)
    kafka.alter(table, {"cleanup.policy": "compact", RETENTION: "1000"})
    kafka.alter(log, {"cleanup.policy": "compact,delete"})
    pump(streams, lambda: all(len(stream.events) == 13 for stream in streams))
    for stream in streams:
        assert [e.event for e in stream.events[10:]] == ["reset", "message", "message"]
        assert [e.text for e in stream.events[11:]] == ["8", "9"]
    wait_until(lambda: "keeps its deletes for 1000 ms now" in hasty.text())
    assert len(still.events) == 2, "nothing is read anew for that"
    for responder in pool:
        assert responder.text().count("is compacted now") == 1
        assert len(responder.open().take(2)) == 2
