"""Tabs of a machine whose network goes away, or that sleeps: Chromium in a network namespace."""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome

from browser import PROGRAM, Page, chromium
from helpers import LONG, wait_for, wait_until
from kafka import Kafka
from lighttpd import Lighttpd
from machine import Machine
from tabs import Tabs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are root's")

BOUND_S = 5  # after its return a table is right
SLEEP_S = 3600
COUNT_KEEPALIVES = """
window.keepalives = 0;
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (name, listener) {
  listen.call(this, name, listener);
  if (name === "keepalive") listen.call(this, name, () => window.keepalives++);
};
"""


@pytest.fixture
def machine(tmp_path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.end()


@pytest.fixture
def browse(machine, tmp_path) -> Iterator[Callable[..., tuple[Chrome, str]]]:
    """A browser there, and what it has to call the server."""
    drivers = []

    def start(server: Lighttpd, scheme: str = "http") -> tuple[Chrome, str]:
        server.stop()
        server.listen_on(machine.server_ip)
        server.start()
        port = {"http": server.http, "https": server.https}[scheme][1]
        url = f"{scheme}://{machine.server_ip}:{port}"
        # A pipe, for our way to it must not be the one that is cut.
        arguments = ["--remote-debugging-pipe", f"--unsafely-treat-insecure-origin-as-secure={url}"]
        drivers.append(chromium(tmp_path, machine.program(PROGRAM), *arguments))
        return drivers[-1], url

    yield start
    for driver in drivers:
        driver.quit()


@pytest.fixture
def open_tabs(topic, front, browse) -> Callable[..., Tabs]:
    """Four of them."""

    def start(scheme: str, **options: object) -> Tabs:
        driver, url = browse(front(topic), scheme)
        tabs = Tabs(driver, f"{url}/index.html")
        for _ in range(4):
            tabs.open(**options)
        wait_for(4, lambda: tabs.state(tabs.handles[0])["tabs"])
        for tab in tabs.handles:
            wait_until(lambda tab=tab: tabs.state(tab)["live"], what="it is live")
        return tabs

    return start


def write(kafka: Kafka, topic: str, for_s: float = 0) -> dict[str, str]:
    """Rows, some of which come and go; what there is in the end."""
    rows = {}
    end = time.monotonic() + for_s
    n = 0
    while not n or time.monotonic() < end:
        for key in "abc":
            n += 1
            kafka.put(topic, key, str(n))
            rows[key] = str(n)
        kafka.put(topic, "gone", str(n))
        kafka.put(topic, "gone", None)
        time.sleep(0.1)
    return rows


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_network_that_was_away(kafka, topic, machine, open_tabs, note, scheme):
    tabs = open_tabs(scheme)
    tabs.wait_tables(write(kafka, topic))
    machine.link("down")
    rows = write(kafka, topic, 60 if LONG else 3)
    machine.link("up")
    note("right after", took(lambda: tabs.wait_tables(rows, BOUND_S)))
    assert tabs.wrong() == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_machine_that_slept(kafka, topic, machine, open_tabs, note, scheme):
    """Its clock has jumped, and of its connections nobody knows any more."""
    tabs = open_tabs(scheme)
    old = write(kafka, topic)
    tabs.wait_tables(old)
    wait_for(1, lambda: len(machine.connections()))  # others are idle, and closed soon
    machine.drop_connections()
    rows = write(kafka, topic, 1)
    tabs.wait_tables(old)  # nobody has heard of them
    began = tabs.now()
    machine.sleep(SLEEP_S)
    note("right after", took(lambda: tabs.wait_tables(rows, BOUND_S)))
    assert tabs.now() - began > SLEEP_S, "the browser's clock has jumped"
    assert tabs.wrong() == []


def test_a_network_that_swallows_everything(kafka, topic, machine, open_tabs, note):
    """Nobody is told when it is there again, so that the next try has to come."""
    options = {} if LONG else {"keepAliveMs": 2000}
    tabs = open_tabs("http", **options)
    tabs.wait_tables(write(kafka, topic))
    machine.drop()
    rows = write(kafka, topic, 60 if LONG else 6)
    wait_until(lambda: tabs.state(tabs.leader())["state"] != "open", what="it is noticed")
    machine.pass_all()
    note("right after", took(lambda: tabs.wait_tables(rows)))
    assert tabs.wrong() == []


def test_the_page_with_an_eventsource_notices_silence(
    kafka, topic, machine, front, start, browse
):
    kafka.put(topic, "a", "1")
    responder = start(topic, "--keepalive", "2")
    driver, url = browse(front(topic, responders=[responder]))
    page = Page(driver, f"{url}/index.html")
    driver.execute_script(COUNT_KEEPALIVES)
    page.go()
    page.wait_table(a="1")
    # One ends the replay, from the next it learns how long silence is.
    wait_until(lambda: driver.execute_script("return window.keepalives >= 2"), what="keep-alives")
    machine.drop()
    kafka.put(topic, "a", "2")
    page.wait_detail("nothing is heard")
    machine.pass_all()
    page.wait_table(a="2")
    assert [text for _, text in page.messages()] == ["2", "1"], "nothing twice"


def took(what: Callable[[], None]) -> str:
    began = time.monotonic()
    what()
    return f"{time.monotonic() - began:.1f} s"
