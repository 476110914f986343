"""One stream for all tabs of a browser, in Chromium and Firefox, over lighttpd and real responders."""

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from selenium.common.exceptions import WebDriverException

from browser import back_from, chromium
from firefox import Firefox
from helpers import LONG, wait_for, wait_until
from kafka import Kafka
from lighttpd import POOLS, Lighttpd
from sse import HttpReader
from tabs import Tabs

KEYS = [f"key-{n}" for n in range(20)]
LIFETIME_S = 15  # of a token


@pytest.fixture
def open_tabs(tmp_path) -> Iterator[Callable[..., Tabs]]:
    drivers = []

    def start(page: str, browser: Callable = chromium) -> Tabs:
        drivers.append(browser(tmp_path))
        return Tabs(drivers[-1], page)

    yield start
    for driver in drivers:
        driver.quit()


class Writer:
    """Puts and deletes keys until it is stopped; .rows is what there is then."""

    def __init__(self, kafka: Kafka, topic: str, seed: int):
        self.rows: dict[str, str] = {}
        self._kafka, self._topic, self._random = kafka, topic, random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        n = 0
        while not self._stop.wait(0.02):
            key = self._random.choice(KEYS)
            if self._random.random() < 0.15:
                self._kafka.put(self._topic, key, None)
                self.rows.pop(key, None)
            else:
                n += 1
                self._kafka.put(self._topic, key, str(n))
                self.rows[key] = str(n)

    def stop(self) -> dict[str, str]:
        self._stop.set()
        self._thread.join()
        return self.rows


@pytest.fixture
def write(kafka, topic) -> Iterator[Callable[[], Writer]]:
    writers = []

    def start() -> Writer:
        writers.append(Writer(kafka, topic, seed=16))
        return writers[-1]

    yield start
    for writer in writers:
        writer.stop()


def streams(server: Lighttpd) -> int:
    said = HttpReader(server.admin, "/metrics").wait_end().body.decode()
    return sum(map(int, re.findall(r"^sse_kafka_fanout_streams\{.*\} (\d+)$", said, re.M)))


def restart(server: Lighttpd, guarded: bool = False) -> None:
    for name in POOLS[2:] if guarded else POOLS[:2]:
        server.keepers[name].stop()
        server.keepers[name].start()


def crash(tabs: Tabs, tab: str) -> None:
    tabs.handles.remove(tab)
    with pytest.raises(WebDriverException, match="crashed"):
        tabs.command(tab, "Page.crash")
    tabs.driver.switch_to.window(tab)
    tabs.driver.close()
    tabs.driver.switch_to.window(tabs.first)


@pytest.mark.parametrize(
    "browser, guarded", [(chromium, False), (chromium, True), (Firefox, LONG)]
)
def test_twelve_tabs_have_one_stream_whatever_happens(
    kafka, topic, front, open_tabs, write, browser, guarded
):
    server = front(topic, kept=True)
    if guarded:
        server.stop()
        server.add_demo_key(lifetime_s=LIFETIME_S)
        server.start()
    tabs = open_tabs((server.guarded_url if guarded else server.url) + "/index.html", browser)
    began = time.monotonic()
    writer = write()
    for _ in range(12):
        tabs.open(guarded=guarded)
    wait_for(12, lambda: tabs.state(tabs.handles[0])["tabs"])
    wait_for(1, lambda: streams(server))
    # Firefox freezes no tabs, and those of one site crash together.
    frozen = [tabs.handles[-1]] if browser is chromium else []
    for tab in frozen:
        tabs.freeze(tab)
        tabs.handles.remove(tab)
    tabs.close(tabs.leader())
    restart(server, guarded)
    tabs.leave(tabs.leader())
    wait_until(lambda: tabs.state(tabs.leader())["state"] == "open", what="it is open")
    restart(server, guarded)
    if browser is chromium:
        crash(tabs, tabs.leader())
    else:
        tabs.close(tabs.leader())
    if guarded:  # several tokens' lives
        wait_until(lambda: time.monotonic() > began + (120 if LONG else 2 * LIFETIME_S), timeout=120)
    for tab in frozen:
        tabs.thaw(tab)
        tabs.handles.append(tab)
    rows = writer.stop()
    tabs.wait_tables(rows)
    wait_for(1, lambda: streams(server))
    assert tabs.wrong() == []
    tabs.close_all()


def test_tabs_select_at_random(kafka, topic, front, open_tabs, write):
    server = front(topic)
    tabs = open_tabs(server.url + "/index.html")
    writer = write()
    chance = random.Random(16)
    selected = {tabs.open(select={"key": KEYS[:3]}): KEYS[:3] for _ in range(3)}
    end = time.monotonic() + (60 if LONG else 10)
    while time.monotonic() < end:
        tab = chance.choice(tabs.handles)
        selected[tab] = chance.sample(KEYS, chance.randrange(1, 8))
        tabs.ask(tab, "f.select({ key: arguments[0] })", selected[tab])
    rows = writer.stop()
    for tab, keys in selected.items():
        wanted = {key: value for key, value in rows.items() if key in keys}
        wait_for(wanted, lambda tab=tab: tabs.table(tab))
    wait_for(1, lambda: streams(server))
    assert not [one for one in tabs.wrong() if one.startswith("reset")], "without another stream"
    tabs.close_all()


def test_tabs_that_do_not_share_have_a_stream_each(kafka, topic, front, open_tabs):
    kafka.put(topic, "a", "1")
    server = front(topic)
    tabs = open_tabs(server.url + "/index.html")
    tabs.open(shared=False)
    tabs.open(shared=False)
    tabs.wait_tables({"a": "1"})
    wait_for(2, lambda: streams(server))
    tabs.close_all()


def test_the_back_button_brings_a_table_back_and_right(kafka, topic, front, open_tabs):
    kafka.put(topic, "a", "1")
    server = front(topic)
    tabs = open_tabs(server.url + "/index.html")
    back, other = tabs.open(), tabs.open()
    tabs.wait_tables({"a": "1"})

    def meanwhile() -> None:
        wait_for(1, lambda: tabs.state(other)["tabs"])
        kafka.put(topic, "a", "2")
        wait_for({"a": "2"}, lambda: tabs.table(other))
        tabs.driver.switch_to.window(back)

    tabs.driver.switch_to.window(back)
    back_from(tabs.driver, server.url + "/icon.svg", meanwhile)
    tabs.wait_tables({"a": "2"}, timeout=5)
    wait_for(2, lambda: tabs.state(other)["tabs"])
    wait_for(1, lambda: streams(server))
    assert tabs.wrong() == []
    tabs.close_all()


def test_a_page_with_tables_of_two_topics_shares_two_streams(
    kafka, topic, front, start, open_tabs, tmp_path
):
    other = kafka.topic()
    routes = tmp_path / "routes.json"
    route = {"path": "/events/{topic}", "topic": "{topic}"}
    routes.write_text(json.dumps({"topics": {topic: {}, other: {}}, "routes": [route]}))
    server = front(topic, responders=[start(None, "--config", str(routes))])
    tabs = open_tabs(server.url + "/index.html")
    for _ in range(3):
        tab = tabs.open(f"/events/{topic}")
        tabs.ask(tab, f"window.g = new f.constructor('/events/{other}')")

    def wait_both(one: dict[str, str], another: dict[str, str]) -> None:
        tabs.wait_tables(one)
        for tab in tabs.handles:
            wait_for(another, lambda tab=tab: tabs.ask(tab, "return Object.fromEntries(g.table)"))

    kafka.put(topic, "a", "of one")
    kafka.put(other, "a", "of another")
    kafka.put(other, "b", "of another")
    wait_both({"a": "of one"}, {"a": "of another", "b": "of another"})
    wait_for(2, lambda: streams(server))
    tabs.close(tabs.handles[0])
    kafka.put(topic, "a", None)
    kafka.put(other, "b", "later")
    wait_both({}, {"a": "of another", "b": "later"})
    # One more of the same topic in the same page shares as well; its end is the end of no other.
    tabs.ask(tab, f"window.h = new f.constructor('/events/{topic}')")
    wait_for(3, lambda: tabs.state(tab)["tabs"])
    tabs.ask(tab, "f.close()")
    kafka.put(topic, "c", "3")
    wait_for({"c": "3"}, lambda: tabs.ask(tab, "return Object.fromEntries(h.table)"))
    wait_for({"c": "3"}, lambda: tabs.table(tabs.handles[0]))
    wait_for(2, lambda: streams(server))
    assert tabs.wrong() == []
    tabs.close_all()
