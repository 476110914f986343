"""A responder that is stopped for longer than deletes are kept: a key that is deleted meanwhile leaves no
trace in the log, and yet no page may go on to show it."""

import base64
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from helpers import wait_until
from kafka import KafkaBehind, Record
from proxy import FETCH, PASS, Fate
from responder import Responder
from sse import Event
from test_health import metrics

SETTINGS = {"segment.ms": "60000", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "100"}
# Where they are kept for less, it takes so long.
AWAY_S = 15


class Cleaning(KafkaBehind):
    """A broker that compacts several times a second, and whose link may stop."""

    def first_start(self) -> None:
        super().first_start("log.cleaner.enable=true", "log.cleaner.backoff.ms=200")
        # Two minutes after each other, and long ago: each begins a segment, which ends the one before.
        self._times = itertools.count(int(time.time() * 1000) - 100 * 3_600_000, 120_000)

    def write(self, topic: str, key: str, value: str | None) -> None:
        said = None if value is None else f"{key} {value}".encode()
        self.produce(topic, Record(key.encode(), said, timestamp=next(self._times)))

    def keys(self, topic: str) -> list[str]:
        """Of all records that the log still has."""
        command = ["kcat", "-C", "-e", "-q", "-b", f"127.0.0.1:{self.port}", "-t", topic]
        done = subprocess.run([*command, "-f", "%k\n"], check=True, capture_output=True, text=True)
        return done.stdout.split()

    def forget(self, topic: str, key: str) -> None:
        """It is deleted, and so is its delete. The cleaner looks only at what is new."""
        self.write(topic, key, None)

        def forgotten() -> bool:
            self.write(topic, "clock", "ticks")
            return key not in self.keys(topic)

        wait_until(forgotten, what=f"nothing of {key} is left")


@pytest.fixture(scope="module")
def cleaning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cleaning]:
    server = Cleaning(tmp_path_factory.mktemp("cleaning"))
    server.first_start()
    yield server
    server.stop()
    server.proxy.stop()


@contextmanager
def stopped(responder: Responder) -> Iterator[None]:
    """For as long as it takes until it may have missed deletes, at least."""
    os.kill(responder.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        yield
        wait_until(lambda: time.monotonic() > began + AWAY_S + 1)
    finally:
        os.kill(responder.pid, signal.SIGCONT)


def rows(events: Iterable[Event]) -> dict[str, str]:
    """What a page shows that was told these."""
    shown: dict[str, str] = {}
    for event in events:
        if event.event == "reset":
            shown.clear()
        elif event.event == "delete":
            shown.pop(base64.urlsafe_b64decode(event.data).decode(), None)
        else:
            key, value = event.text.split(" ", 1)
            shown[key] = value
    return shown


def resets(events: Iterable[Event]) -> list[str]:
    return [event.text.split('"')[3] for event in events if event.event == "reset"]


LEFT = {"kept": "1", "clock": "ticks", "last": "2"}


def test_what_was_deleted_while_it_was_stopped_leaves_each_page(cleaning, start):
    topic = cleaning.topic(config=SETTINGS)
    for key in ("gone", "kept"):
        cleaning.write(topic, key, "1")
    responder = start(topic, "--keepalive", "1", brokers=cleaning.brokers)
    page, away = responder.open(), responder.open()
    for stream in (page, away):
        stream.take(2)
    away.close()
    page.wait(lambda: len(page.comments) >= 4)  # it has asked by then whether that was all
    with stopped(responder):
        cleaning.write(topic, "clock", "ticks")  # this is what it has asked the broker for already
        cleaning.forget(topic, "gone")
        cleaning.write(topic, "last", "2")
    page.take_until(b"last 2")
    assert rows(page.events) == LEFT
    assert resets(page.events) == ["deletes_unknown"]
    assert "is read anew" in responder.text()
    back = responder.open(away.events[-1].id)
    back.take_until(b"last 2")
    assert resets(back.events) == ["deletes_unknown"] and rows(back.events) == LEFT
    fresh = responder.open()
    fresh.take_until(b"last 2")
    assert rows(fresh.events) == LEFT and not resets(fresh.events)


def test_what_was_deleted_while_it_was_stopped_amid_its_first_load_is_not_shown(cleaning, start):
    topic = cleaning.topic(config=SETTINGS)
    for key in ("gone", "kept"):
        cleaning.write(topic, key, "1")
    answers = itertools.count()
    cleaning.proxy.fate = lambda request: (
        Fate(close=True) if request.api_key == FETCH and next(answers) > 0 else PASS
    )
    responder = start(topic, "-X", "fetch.message.max.bytes=1", brokers=cleaning.brokers)
    wait_until(lambda: metrics(responder)["records_total"] == 1, what="one record alone is read")
    with stopped(responder):
        cleaning.forget(topic, "gone")
        cleaning.write(topic, "last", "2")
        cleaning.proxy.fate = lambda request: PASS
    page = responder.open()
    page.take_until(b"last 2")
    assert rows(page.events) == LEFT
    assert "is read anew" in responder.text()
