"""The page in Firefox, from the first message to a restart of everything; the rest is seen in Chromium."""

import pytest

from browser import Page
from firefox import Firefox


@pytest.fixture
def driver(tmp_path):
    driver = Firefox(tmp_path)
    yield driver
    driver.quit()


def test_the_page_goes_on_where_it_was(kafka, topic, front, driver):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    server = front(topic, kept=True)
    page = Page(driver, server.https_url + "/index.html")
    page.go()
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
