"""One broker of three that cannot be reached: its partitions are missing, all others are served."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from helpers import wait_for, wait_until
from kafka import Record, ThreeBrokers, numbered
from proxy import PASS, Fate
from sse import pump
from test_faults import kafka_lines
from test_health import metrics, readiness, reasons

# Partitions hold nobody back for longer; the rest is for a machine that has much else to do.
HELD_BACK_S, SLACK_S = 10, 15


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    servers = ThreeBrokers(tmp_path_factory.mktemp("three"))
    servers.first_start()
    yield servers
    servers.stop()


@contextmanager
def refused(three: ThreeBrokers) -> Iterator[None]:
    three.proxy.refuse()
    yield
    three.proxy.admit()


@contextmanager
def dropped(three: ThreeBrokers) -> Iterator[None]:
    three.proxy.drop()
    yield
    three.proxy.admit()


@contextmanager
def silent(three: ThreeBrokers) -> Iterator[None]:
    """It takes connections and requests, and never answers one."""
    three.proxy.fate = lambda request: Fate(swallow=True)
    yield
    three.proxy.fate = lambda request: PASS
    three.proxy.refuse()
    three.proxy.admit()


@contextmanager
def frozen(three: ThreeBrokers) -> Iterator[None]:
    pid = int((three.third.directory / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def advertised_wrongly(three: ThreeBrokers) -> Iterator[None]:
    three.advertise_third(f"kafka.invalid:{three.proxy.port}")
    yield
    three.advertise_third(f"127.0.0.1:{three.proxy.port}")


def blamed(responder, topic: str) -> list[str]:
    """The lines that name partitions of the topic."""
    return [line for line in kafka_lines(responder) if f"{topic}[" in line]


@pytest.mark.parametrize("way", [refused, dropped, silent, advertised_wrongly])
def test_one_that_cannot_be_reached_at_the_start(three, start, note, way):
    """PROTOCOL 3.19."""
    topic = three.topic_of_all()
    three.put(topic, "a", "a", partition=0)
    three.put(topic, "b", "b", partition=1)
    three.produce(topic, *(r._replace(partition=2) for r in numbered(100, keys=5)))
    three.put(topic, "k0", None, partition=2)
    with way(three):
        began = time.monotonic()
        responder = start(topic, brokers=three.brokers)
        stream = responder.open()
        assert {event.text for event in stream.take(2)} == {"a", "b"}
        took = time.monotonic() - began
        note("the others came after s", round(took, 1))
        assert took < HELD_BACK_S + SLACK_S
        three.put(topic, "a", "live", partition=0)
        assert stream.next().text == "live"
        wait_for(["partition_away"], lambda: reasons(responder))
        [me] = readiness(responder)["responders"]
        assert me["details"]["partition_away"].endswith(": 1")
        assert metrics(responder)['trouble,reason="partition_away"'] == 1
        wait_until(lambda: blamed(responder, topic), what="a line about the partition")
        [line] = blamed(responder, topic)
        assert f"{topic}[2]" in line and "broker 3 at " in line
        # A broker that the cluster has given up has no address any more.
        assert str(three.proxy.port) in line or "no leader" in line
        began = time.monotonic()
        late = responder.open()
        late.take(2)
        assert time.monotonic() - began < HELD_BACK_S / 2, "it was given up long before"
        assert [event for event in stream.events if event.event != "message"] == []
    # What a replay gives: the newest of each key, and nobody has anything to delete.
    for reader in (stream, late):
        texts = [event.text for event in reader.take(4, timeout=90)]
        assert texts == ["96", "97", "98", "99"]
    wait_for([], lambda: reasons(responder))
    three.put(topic, "k1", "live", partition=2)
    assert stream.next().text == late.next().text == "live"
    assert len(stream.events) == 2 + 1 + 4 + 1
    [_, line] = blamed(responder, topic)
    assert f"{topic}[2] goes on at " in line


@pytest.mark.parametrize("way", [frozen, refused, dropped, silent])
def test_one_that_goes_while_streams_are_open(three, start, note, way):
    topic = three.topic_of_all()
    responder = start(topic, brokers=three.brokers)
    stream = responder.open()
    for partition in range(3):
        three.put(topic, "k", f"{partition}", partition)
    assert {event.text for event in stream.take(3)} == {"0", "1", "2"}
    with way(three):
        began = time.monotonic()
        another = start(topic, brokers=three.brokers)
        first = another.open()
        fresh = responder.open()
        for n in range(3):
            three.put(topic, "live", f"live {n}", partition=n % 2)
            assert stream.next().text == f"live {n}"
        # It waits for the partition as long as others would, and then shows what is known of it.
        fresh.wait(lambda: len(fresh.events) >= 5)
        note("a fresh stream waited s", round(time.monotonic() - began, 1))
        for one in (responder, another):
            wait_for(["partition_away"], lambda one=one: reasons(one))
        first.take_until(b"live 2")
        assert "2" not in [event.text for event in first.events]
        began = time.monotonic()
        late = responder.open(stream.events[-1].id)
        three.put(topic, "live", "for all", partition=1)
        assert late.next().text == "for all"
        assert time.monotonic() - began < HELD_BACK_S / 2
    three.put(topic, "k", "back", partition=2)
    for reader in (stream, fresh, late, first):
        assert reader.take_until(b"back")[-1].text == "back"
    wait_for([], lambda: reasons(responder))
    seen = [event.text for event in stream.events]
    assert len(set(seen)) == len(seen), "nothing twice"
    for one in (responder, another):
        lines = blamed(one, topic)
        assert len(lines) == 2 and all(f"{topic}[2]" in line for line in lines), lines
        assert "broker 3" in lines[0]


def test_one_that_hangs_keeps_nothing_of_the_next_leader_back(three, start):
    """What was asked of it is not waited for: its partition is another broker's by then."""
    topic, topic_of_all = three.topic_of_two(), three.topic_of_all()
    responder = start(topic, brokers=three.brokers)
    stream = responder.open()
    for partition in range(2):
        three.put(topic, "k", f"{partition}", partition)
    assert {event.text for event in stream.take(2)} == {"0", "1"}
    with frozen(three):
        wait_until(lambda: three.leader(topic, 1) == 2, what="another leader")
        three.put(topic, "k", "moved", partition=1)
        assert stream.next().text == "moved"
        # Who waited for the third only now would have given up its partitions, too.
        for _ in range(2):
            another = start(topic_of_all, brokers=three.brokers)
            wait_for(["partition_away"], lambda: reasons(another))
            another.stop()
        wait_for([], lambda: reasons(responder))
    assert [line for line in blamed(responder, topic) if f"{topic}[0" in line] == []


def test_a_stream_that_starts_with_its_broker_sees_nothing_superseded(three, start):
    topic = three.topic_of_all()
    records = [Record(b"k%d" % (n % 5), b"%d" % n, 2) for n in range(20_000)]
    deletes = [Record(b"k%d" % n, None, 2) for n in range(4)]
    three.put(topic, "q", "q")
    three.produce(topic, *records, *deletes)
    three.proxy.refuse()
    responder = start(topic, brokers=three.brokers)
    stream = responder.open()
    wait_until(lambda: "topic " + topic in responder.text(), what="the topic is known")
    assert reasons(responder) == ["catching_up"]
    three.proxy.admit()
    assert {event.text for event in stream.take(2)} == {"q", "19999"}
    wait_for([], lambda: reasons(responder))
    assert len(stream.events) == 2
    three.put(topic, "k4", "live", partition=2)
    assert stream.next().text == "live"
    assert len(stream.events) == 3
