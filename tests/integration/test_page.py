"""The page in Chromium."""

import json
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Page, back_from
from helpers import wait_for, wait_until
from kafka import Record, numbered
from lighttpd import POOLS, Lighttpd
from sse import HttpReader


@pytest.fixture
def open_page(driver) -> Iterator[Callable[[str], Page]]:
    driver.get_log("browser")
    yield lambda url: Page(driver, url)
    driver.get("about:blank")  # its streams end before their servers do


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_go_shows_what_is_there_and_what_comes(kafka, topic, front, open_page, scheme):
    for key, value in [("a", "old"), ("b", "1"), ("a", "2")]:
        kafka.put(topic, key, value)
    server = front(topic)
    page = open_page((server.url if scheme == "http" else server.https_url) + "/index.html")
    assert (page.state(), page.messages()) == ("closed", [])
    page.go()
    page.wait_state("open")
    page.wait_messages("2", "1")
    kafka.put(topic, "c", "live\nin two lines")
    page.wait_messages("live\nin two lines", "2", "1")
    assert page.table() == {"a": "2", "b": "1", "c": "live\nin two lines"}
    wait_for(1, lambda: sum('"open"' in line for line in page.console()))
    wait_for(3, lambda: sum('"message"' in line for line in page.console()))
    assert not any("Content Security Policy" in line for line in page.console())
    assert not any("Failed to load" in line for line in page.console())


def test_the_table_follows_updates_and_deletes(kafka, topic, front, open_page):
    page = open_page(front(topic).url)
    page.go()
    page.wait_state("open")
    kafka.put(topic, "a", "1")
    page.wait_table(a="1")  # "open" is said before its place is known
    for key, value in [
        ("b", "2"),
        ("a", "3"),
        ("b", None),
        ("c", "4"),
        ("\u00fc/+", "5"),
    ]:
        kafka.put(topic, key, value)
    page.wait_table(**{"a": "3", "c": "4", "\u00fc/+": "5"})
    assert [kind for kind, _ in page.messages()].count("delete") == 1


def test_an_empty_topic_is_told_from_one_that_cannot_be_read(kafka, topic, front, open_page):
    page = open_page(front(topic).url)
    assert not page.is_shown("no messages yet")
    page.go()
    page.wait_state("open")
    assert page.is_shown("no messages yet")
    kafka.put(topic, "a", "1")
    page.wait_messages("1")
    assert not page.is_shown("no messages yet")


def test_the_table_needs_no_keys_in_ids(kafka, topic, front, start, open_page):
    kafka.put(topic, "a", "1")
    page = open_page(front(topic, responders=[start(topic)]).url)
    page.go()
    page.wait_table(a="1")


def test_a_location_in_the_url_is_gone_to(kafka, topic, front, open_page, driver):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    page = open_page(front(topic).url + "/index.html#/events?key=a")
    page.wait_table(a="1")
    page.go("/events?key=b")
    page.wait_table(b="2")
    driver.refresh()
    page.wait_table(b="2")
    driver.execute_script("location.hash = '/events'")
    page.wait_table(a="1", b="2")


def test_a_token_does_not_come_into_the_url(topic, front, open_page, driver):
    page = open_page(front(topic).url)
    page.go("/events?access_token=secret")
    page.wait_state("open")
    assert "secret" not in driver.current_url


def test_what_is_replayed_is_told_from_what_is_live(kafka, topic, front, open_page):
    kafka.put(topic, "b", "1")
    kafka.put(topic, "a", "2")
    page = open_page(front(topic).url)
    page.go()
    page.wait_detail("/events")
    wait_until(lambda: "reading" not in page.detail(), what="the end of the replay")
    kafka.put(topic, "c", "3")
    page.wait_messages("3", "2", "1")
    heads = page.driver.execute_script(
        "return [...document.querySelectorAll('#messages .head')].map((head) => head.textContent)"
    )
    assert ["replay" in head for head in heads] == [False, True, True]
    assert list(page.table()) == ["a", "b", "c"], "in order"
    wait_until(lambda: page.is_shown("3 events"))
    assert page.is_shown("3 keys")


def test_the_table_is_searched(kafka, topic, front, open_page):
    for n in range(3):
        kafka.put(topic, f"order-{n}", f"state {n}")
    page = open_page(front(topic).url + "/index.html#/events")
    wait_for(3, lambda: len(page.table()))
    page.driver.find_element("id", "search").send_keys("STATE 1")
    page.wait_table(**{"order-1": "state 1"})
    assert page.is_shown("1 of 3 keys")
    kafka.put(topic, "order-2", "state 1, too")
    page.wait_table(**{"order-1": "state 1", "order-2": "state 1, too"})
    kafka.put(topic, "order-1", None)
    kafka.put(topic, "order-2", "state 3")
    wait_until(lambda: page.is_shown("nothing is found"), what="that there is nothing")
    page.driver.find_element("id", "search").send_keys(Keys.CONTROL, "a", Keys.BACKSPACE)
    page.wait_table(**{"order-0": "state 0", "order-2": "state 3"})


def test_what_has_no_shape_is_seen_all_the_same(kafka, topic, front, open_page):
    kafka.produce(topic, Record(b"k\x00", b"\x1b[0m\tb\r\nc\rd\xff"))
    page = open_page(front(topic).url + "/index.html#/events")
    page.wait_table(**{"k\\x00": "\\x1b[0m\tb\r\nc\\x0dd\ufffd"})


def test_times_are_those_of_kafka(kafka, topic, front, open_page):
    kafka.produce(topic, Record(b"a", b"1", timestamp=1577880000000))
    page = open_page(front(topic).url)
    page.go()
    page.wait_messages("1")
    time = page.driver.find_element("css selector", "#messages time")
    assert time.get_attribute("dateTime") == "2020-01-01T12:00:00.000Z"
    assert "2020" in page.driver.find_element("css selector", "#keys .when").text


@pytest.mark.parametrize("scheme, most", [("http", 5), ("https", 7)])
def test_a_tab_for_which_the_browser_has_no_connection_says_so(
    kafka, topic, front, open_page, driver, scheme, most
):
    kafka.put(topic, "a", "1")
    server = front(topic)
    url = (server.url if scheme == "http" else server.https_url) + "/index.html#/events"
    first = driver.current_window_handle
    page = open_page(url)
    page.wait_table(a="1")
    for _ in range(most - 1):
        driver.switch_to.new_window("tab")
        Page(driver, url).wait_table(a="1")
    driver.switch_to.new_window("tab")
    last = Page(driver, url)
    last.wait_detail(f"{most} other tabs have a stream")
    waiting = driver.current_window_handle
    driver.switch_to.window(first)
    driver.get("about:blank")
    driver.switch_to.window(waiting)
    last.wait_table(a="1")
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)


def test_the_back_button_brings_the_page_back_as_it_was(kafka, topic, front, open_page, driver):
    kafka.put(topic, "a", "1")
    server = front(topic)
    page = open_page(server.url + "/index.html#/events")
    page.wait_table(a="1")
    back_from(driver, server.url + "/icon.svg", lambda: kafka.put(topic, "a", "2"))
    page.wait_table(a="2")
    assert [text for _, text in page.messages()] == ["2", "1"], "nothing twice"


def test_a_value_is_never_interpreted_as_html(kafka, topic, front, open_page):
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    kafka.put(topic, evil, evil)
    page = open_page(front(topic).url)
    page.go()
    page.wait_messages(evil)
    assert page.table() == {evil: evil}
    assert page.driver.title != "owned"
    assert not page.driver.find_elements("css selector", "main img, main script")


def test_the_page_is_used_by_keyboard_alone(kafka, topic, front, open_page, driver):
    kafka.put(topic, "a", "1")
    page = open_page(front(topic).url)
    wait_until(lambda: focused_after_tab(driver) == "location", what="the field has the focus")
    driver.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    driver.switch_to.active_element.send_keys("/events?by=keyboard", Keys.ENTER)
    page.wait_messages("1")


def focused_after_tab(driver) -> str:
    driver.switch_to.active_element.send_keys(Keys.TAB)
    return driver.switch_to.active_element.get_attribute("id")


def test_the_page_loads_nothing_from_elsewhere(topic, front, open_page, driver):
    server = front(topic)
    page = open_page(server.url)
    page.go()
    page.wait_state("open")
    loaded = driver.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert loaded and all(name.startswith(server.url) for name in loaded)


def test_a_wrong_location_is_shown_as_closed(topic, front, open_page):
    page = open_page(front(topic).url)
    page.go("/nothing")
    page.wait_state("closed")
    wait_until(lambda: any('"error"' in line for line in page.console()))
    page.wait_detail("refused")
    page.driver.find_element("id", "location").send_keys("x")
    assert page.detail() == "press Go", "that was another location"


def test_the_page_comes_back_when_lighttpd_was_stopped_and_started(kafka, topic, front, open_page):
    """The reliability section of the seed."""
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    server = front(topic)
    page = open_page(server.url)
    page.go()
    page.wait_messages("2", "1")
    server.stop()
    page.wait_state("retrying")
    page.wait_detail("since")
    kafka.put(topic, "c", "while it was away")
    kafka.put(topic, "b", None)
    server.start()
    page.wait_table(a="1", c="while it was away")
    page.wait_state("open")
    kafka.put(topic, "d", "live")
    page.wait_table(a="1", c="while it was away", d="live")
    texts = [text for kind, text in page.messages() if kind == "message"]
    assert texts == ["live", "while it was away", "2", "1"], "nothing twice"
    wait_until(lambda: any('"error"' in line for line in page.console()))


def test_the_page_goes_on_by_itself_when_the_pool_alone_was_restarted(
    kafka, topic, front, open_page
):
    """The standby answers meanwhile, for which an EventSource does not give up."""
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    server = front(topic, kept=True)
    page = open_page(server.url)
    page.go()
    page.wait_messages("2", "1")
    for name in POOLS:
        server.keepers[name].stop()
    wait_until(lambda: "/events-standby" in server.all_logs(), what="it met the standby")
    page.wait_state("retrying")
    kafka.put(topic, "c", "meanwhile")
    kafka.put(topic, "b", None)
    for name in POOLS:
        server.keepers[name].start()
    page.wait_table(a="1", c="meanwhile")
    page.wait_state("open")
    texts = [text for kind, text in page.messages() if kind == "message"]
    assert texts == ["meanwhile", "2", "1"], "nothing twice"
    assert not any("refused" in line for line in page.console())


def test_the_page_comes_back_when_there_was_no_standby_either(
    kafka, topic, front, start, open_page
):
    """lighttpd says 503 then, for which an EventSource gives up; the page does not."""
    kafka.put(topic, "a", "1")
    responder = start(topic, "--event-id", "key")
    server = front(topic, responders=[responder])
    server.keepers["standby"].stop()
    page = open_page(server.url)
    page.go()
    page.wait_messages("1")
    responder.stop()
    wait_until(lambda: any("refused" in line for line in page.console()), what="it was refused")
    page.wait_state("retrying")
    kafka.put(topic, "b", "2")
    responder.start()
    page.wait_table(a="1", b="2")
    assert [text for _, text in page.messages()] == ["2", "1"]


def test_the_table_starts_again_after_a_reset(kafka, topic, front, open_page):
    kafka.put(topic, "a", "1")
    server = front(topic)
    page = open_page(server.url)
    page.go()
    page.wait_table(a="1")
    kafka.delete_topic(topic)
    # The README's limit: what is made again before that may look like the old one.
    wait_for([["topic_missing"]] * 4, lambda: reasons_of_all(server))
    kafka.topic(name=topic)
    kafka.put(topic, "b", "2")
    page.wait_table(b="2")
    assert "reset" in [kind for kind, _ in page.messages()]


def reasons_of_all(server: Lighttpd) -> list[list[str]]:
    """Why each responder of the pools is not ready."""
    answer = HttpReader(server.admin, "/health/ready").wait_end()
    return [one["reasons"] for one in json.loads(answer.body)["responders"]]


def test_the_last_two_hundred_messages_are_shown(kafka, topic, front, open_page):
    for n in range(0, 300, 50):
        kafka.produce(topic, *numbered(50, keys=1000, start=n))
    page = open_page(front(topic).url)
    page.go()
    page.wait_messages("299", "298")
    wait_until(lambda: len(page.messages()) == 200)


@pytest.fixture
def guarded_page(kafka, topic, front, open_page) -> tuple[Lighttpd, Page]:
    """The page with tokens of its own, which live 14 seconds and are challenged after 4."""
    server = front(topic, kept=True)
    server.stop()
    server.add_demo_key(lifetime_s=14)
    server.start()
    kafka.put(topic, "a", "1")
    return server, open_page(server.guarded_url + "/index.html")


def test_the_page_renews_its_tokens_and_outlives_a_restart(kafka, topic, guarded_page):
    server, page = guarded_page
    page.go()
    page.wait_messages("1")
    wait_until(lambda: reauthorized(page) >= 2, timeout=100, what="a second renewal")
    kafka.put(topic, "a", "after the first token's end")
    page.wait_messages("after the first token's end", "1")
    assert sum('"open"' in line for line in page.console()) == 1
    server.stop()
    kafka.put(topic, "b", "meanwhile")
    server.start()
    page.wait_messages("meanwhile", "after the first token's end", "1")
    page.wait_state("open")


def test_the_page_sends_a_renewal_again_that_comes_too_early(guarded_page):
    """Two answers are put in the server's place; the third attempt gets through."""
    _, page = guarded_page
    page.driver.execute_script(
        """const real = window.fetch, statuses = [429, 503];
        const answer = (status) => new Response("", { status, headers: { "Retry-After": "1" } });
        window.fetch = async (...request) =>
            request[1]?.method === "POST" && statuses.length
                ? answer(statuses.shift())
                : real(...request);"""
    )
    page.go()
    page.wait_messages("1")
    wait_until(lambda: reauthorized(page) >= 1, timeout=100, what="a renewal")
    assert not any("was refused" in line for line in page.console())


def test_the_page_gets_over_a_pool_that_was_away_longer_than_its_token(kafka, topic, guarded_page):
    server, page = guarded_page
    page.go()
    page.wait_messages("1")
    for name in POOLS:
        server.keepers[name].stop()
    wait_until(lambda: "/events-standby" in server.all_logs(), what="it met the standby")
    kafka.put(topic, "b", "meanwhile")
    for name in POOLS:
        server.keepers[name].start()
    page.wait_messages("meanwhile", "1")
    page.wait_state("open")


def test_without_reauthorize_the_page_ends_with_its_token_and_says_so(guarded_page):
    _, page = guarded_page
    page.driver.find_element("id", "reauthorize").click()
    page.go()
    page.wait_messages("1")
    page.wait_state("closed")
    assert "Reauthorize is off" in page.driver.find_element("id", "state-detail").text
    assert reauthorized(page) == 0


# The next renewal leaves the browser only after so many milliseconds.
DELAY_RENEWAL = """
const ask = window.fetch;
let ms = arguments[0];
window.fetch = async (url, options) => {
  if (options?.method === 'POST') await new Promise((resolve) => setTimeout(resolve, ms));
  if (options?.method === 'POST') ms = 0;
  return ask(url, options);
};
"""


def test_a_renewal_that_waits_for_a_connection_is_said_to(guarded_page):
    _, page = guarded_page
    page.driver.execute_script(DELAY_RENEWAL, 4000)
    page.go()
    page.wait_messages("1")
    page.wait_detail("waits for a free connection")
    page.wait_detail("token renewed")


def test_a_server_that_is_away_is_not_said_to_be_a_token_that_is_over(guarded_page):
    server, page = guarded_page
    page.go()
    page.wait_messages("1")
    page.driver.execute_script(
        "window.said = []; new MutationObserver(() => window.said.push("
        "document.getElementById('state-detail').textContent))"
        ".observe(document.getElementById('state-detail'), { childList: true });"
    )
    server.stop()
    page.wait_detail("the server cannot be reached")
    said = page.driver.execute_script("return window.said")
    assert any("connection lost" in each for each in said)
    assert not any("over" in each or "fetch" in each for each in said), said


def reauthorized(page: Page) -> int:
    return sum('"reauthorize"' in line and "token renewed" in line for line in page.console())
