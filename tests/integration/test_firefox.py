"""The page in Firefox, from the first message to a restart of everything; the rest is seen in Chromium."""

import pytest

from browser import Page
from firefox import Firefox
from helpers import Process, wait_for


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = Firefox(tmp_path_factory.mktemp("firefox"))
    Process.running.remove(driver)  # it does not end with a test
    yield driver
    driver.quit()


def open_tab(driver: Firefox, url: str) -> str:
    driver.switch_to.new_window("tab")
    driver.get(url)
    return driver.current_window_handle


def test_the_page_goes_on_where_it_was(kafka, topic, front, driver):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    server = front(topic, kept=True)
    page = Page(driver, server.https_url + "/index.html#/events")
    page.wait_messages("2", "1")
    kafka.put(topic, "c", "live")
    kafka.put(topic, "b", None)
    page.wait_table(a="1", c="live")
    server.stop()
    page.wait_state("retrying")
    kafka.put(topic, "d", "while it was away")
    kafka.put(topic, "a", None)
    server.start()
    page.wait_table(c="live", d="while it was away")
    page.wait_state("open")
    texts = [text for kind, text in page.messages() if kind == "message"]
    assert texts == ["while it was away", "live", "2", "1"], "nothing twice"
    driver.get("about:blank")


def test_tabs_of_the_live_table_share_a_stream(kafka, topic, front, driver):
    kafka.put(topic, "a", "1")
    server = front(topic)
    tabs = [open_tab(driver, server.https_url + "/live.html") for _ in range(3)]

    def said() -> list[str]:
        told = []
        for tab in tabs:
            driver.switch_to.window(tab)
            told.append(driver.find_element("css selector", "#tabs").text)
        return told

    this, another = "3 tabs share a stream, this one has it", "3 tabs share a stream, another one has it"
    wait_for([this, another, another], said)
    driver.switch_to.window(tabs.pop(0))
    driver.close()
    wait_for([text.replace("3", "2") for text in (this, another)], said)
    kafka.put(topic, "a", "2")
    for tab in tabs:
        driver.switch_to.window(tab)
        wait_for("2", lambda: driver.find_element("css selector", "#keys .text").text)


def test_a_tab_for_which_there_is_no_connection_says_so(kafka, topic, front, driver):
    kafka.put(topic, "a", "1")
    url = front(topic).url + "/index.html#/events"
    tabs = [open_tab(driver, url) for _ in range(6)]
    page = Page(driver, url)
    page.wait_detail("5 other tabs have a stream")
    driver.switch_to.window(tabs[0])
    driver.close()
    driver.switch_to.window(tabs[-1])
    page.wait_table(a="1")
