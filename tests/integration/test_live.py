"""The live table (htdocs/live.html) in Chromium."""

import re
import shutil
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import Page
from helpers import wait_for, wait_until
from kit import MODULES, README, vite
from lighttpd import Lighttpd
from test_kit import needs_node_20

AXE = MODULES / "axe-core" / "axe.min.js"
VIOLATIONS = """
const done = arguments[0];
axe.run().then(({ violations }) => done(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.failureSummary)])));
"""


class LivePage(Page):
    def table(self) -> dict[str, str]:
        return self.driver.execute_script(
            "return Object.fromEntries([...document.querySelectorAll('#keys tr')]"
            ".map((tr) => [tr.cells[0].textContent, tr.querySelector('.text').textContent]))"
        )

    def text(self, name: str) -> str:
        return self.driver.find_element(By.ID, name).text

    def wait_text(self, name: str, part: str) -> None:
        wait_until(lambda: part in self.text(name), what=f"{part!r}, not {self.text(name)!r}")


@pytest.fixture
def live(driver):
    yield lambda server, path="/live.html": LivePage(driver, server.url + path)
    driver.get("about:blank")


def test_it_starts_by_itself_and_follows_the_topic(kafka, topic, front, live):
    kafka.put(topic, "b", "2")
    kafka.put(topic, "a", "old")
    page = live(front(topic))
    page.wait_table(a="old", b="2")
    kafka.put(topic, "a", "new")
    kafka.put(topic, "c", "3")
    kafka.put(topic, "b", None)
    page.wait_table(a="new", c="3")
    assert list(page.table()) == ["a", "c"], "in order"
    page.wait_text("count", "5 events")
    page.wait_text("lag", "after it was produced")
    replayed = page.driver.execute_script(
        "return [...document.querySelectorAll('#messages > li')].map((li) => li.textContent.includes('replay'))"
    )
    assert replayed == [False, False, False, True, True]
    assert page.console() == []


def test_an_empty_topic_and_a_refusal_are_said(topic, front, live):
    server = front(topic)
    page = live(server)
    page.wait_state("open")
    assert page.is_shown("no messages yet")
    page.go("/nothing")
    page.wait_state("closed")
    assert "the server says 404" in page.detail()
    page.driver.find_element(By.ID, "location").send_keys("x")
    page.wait_detail("press Go")  # what was said is of another path


def test_keys_are_selected_by_the_field_and_by_the_url(kafka, topic, front, live):
    for key in "abc":
        kafka.put(topic, key, key.upper())
    server = front(topic)
    page = live(server, "/live.html#/events?key=a&key=b")
    page.wait_table(a="A", b="B")
    field = page.driver.find_element(By.ID, "wanted")
    assert field.get_attribute("value") == "a, b"
    field.clear()
    field.send_keys("b, c", Keys.ENTER)
    page.wait_table(b="B", c="C")
    assert page.driver.current_url.endswith("#/events?key=b&key=c")
    page.driver.refresh()
    page.wait_table(b="B", c="C")


def test_it_is_searched_and_paused(kafka, topic, front, live):
    for n in range(3):
        kafka.put(topic, f"order-{n}", f"state {n}")
    page = live(front(topic))
    wait_for(3, lambda: len(page.table()))
    page.driver.find_element(By.ID, "search").send_keys("STATE 1")
    page.wait_table(**{"order-1": "state 1"})
    page.wait_text("shown", "1 of 3 keys")
    page.driver.find_element(By.ID, "search").clear()
    page.driver.find_element(By.ID, "search").send_keys("x", Keys.BACKSPACE)
    wait_for(3, lambda: len(page.table()))
    pause = page.driver.find_element(By.ID, "pause")
    pause.click()
    kafka.put(topic, "order-0", "later")
    page.wait_text("pause", "1 changes")
    assert page.table()["order-0"] == "state 0"
    pause.click()
    wait_for("later", lambda: page.table()["order-0"])


def test_what_is_old_is_grey_and_long_texts_are_folded(kafka, topic, front, live):
    kafka.put(topic, "a", "\n".join(f"line {n}" for n in range(30)))
    server = front(topic)
    page = live(server)
    wait_for(1, lambda: len(page.table()))
    more = page.driver.find_element(By.CSS_SELECTOR, "#keys .more")
    assert more.text == "30 lines, show all"
    more.click()
    assert more.get_attribute("aria-expanded") == "true"

    def colour() -> str:
        cell = page.driver.find_element(By.CSS_SELECTOR, "#keys td")
        return cell.value_of_css_property("color")

    before = colour()
    server.stop()
    page.wait_state("retrying")
    page.wait_detail("since")
    page.wait_detail("again in")
    assert colour() != before
    server.start()
    page.wait_state("open")
    assert colour() == before


def test_tabs_share_and_say_so(kafka, topic, front, live, driver):
    kafka.put(topic, "a", "1")
    server = front(topic)
    page = live(server)
    page.wait_table(a="1")
    assert page.text("tabs") == "this tab alone"
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    other = LivePage(driver, server.url + "/live.html")
    other.wait_table(a="1")
    other.wait_text("tabs", "2 tabs share a stream, another one has it")
    driver.find_element(By.ID, "shared").click()
    other.wait_text("tabs", "this tab alone")
    driver.close()
    driver.switch_to.window(first)
    page.wait_text("tabs", "this tab alone")


@pytest.mark.parametrize("name", ["live", "index"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(kafka, topic, front, live, driver, name, theme, width):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "line\n" * 30)
    media = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page = live(front(topic), f"/{name}.html")
    if name == "index":
        page.go()
    page.wait_state("open")
    wait_for(2, lambda: len(page.table()))
    driver.execute_script("for (const a of document.getAnimations()) a.finish()")
    driver.execute_script(AXE.read_text())
    assert driver.execute_async_script(VIOLATIONS) == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# Where the first line of an element's text begins.
LEVEL = """
const top = (selector) => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector(selector));
  return range.getClientRects()[0].top;
};
return arguments[0].map(top);
"""


@pytest.mark.parametrize("name", ["live", "index"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_belongs_together_is_on_one_line(kafka, topic, front, live, driver, name, width):
    """A key and its value, and however long a key is, its time."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    kafka.put(topic, "urn:example:order:" * 8, '{"state":"paid"}')
    page = live(front(topic), f"/{name}.html#/events")
    wait_for(1, lambda: len(page.table()))
    key, value = driver.execute_script(LEVEL, ["#keys .key", "#keys .text"])
    assert abs(key - value) < 0.5
    time, key = driver.execute_script(LEVEL, ["#messages time", "#messages .key"])
    assert abs(time - key) < 6
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", ["live", "index"])
def test_an_empty_key_is_a_word_and_an_empty_text_nothing(kafka, topic, front, live, driver, name):
    kafka.put(topic, "", "of the empty key")
    server = front(topic)
    page = live(server, f"/{name}.html#/events")
    wait_for(1, lambda: len(page.table()))
    time, key = driver.execute_script(LEVEL, ["#messages time", "#messages .key"])
    assert abs(time - key) < 6
    kafka.put(topic, "", None)
    wait_for("delete", lambda: page.messages()[0][0])
    text = driver.find_element(By.CSS_SELECTOR, "#messages .delete .text")
    assert text.size["height"] == 0
    server.stop()
    page.wait_state("retrying")
    assert driver.find_element(By.CSS_SELECTOR, "#messages .key").text == "empty key"


def test_it_is_used_by_keyboard_alone(kafka, topic, front, live, driver):
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    page = live(front(topic))
    wait_for(2, lambda: len(page.table()))
    for _ in range(20):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        if driver.switch_to.active_element.get_attribute("id") == "wanted":
            break
    driver.switch_to.active_element.send_keys("b", Keys.ENTER)
    page.wait_table(b="2")


def own_pages(server: Lighttpd) -> Path:
    """Where a user puts pages beside ours."""
    directory = server.root / "htdocs"
    original = directory.resolve()
    directory.unlink()
    shutil.copytree(original, directory)
    return directory


def test_what_readme_says_of_a_page_of_ones_own(kafka, topic, front, live):
    server = front(topic)
    said = re.search(r"^## Your own page\n.*?(<script.*?</script>).*?```js\n(.*?)^```", README.read_text(), re.M | re.S)
    directory = own_pages(server)
    (directory / "orders.html").write_text(f"<!doctype html><title>Orders</title>{said[1]}")
    (directory / "orders.js").write_text(said[2])
    page = live(server, "/orders.html")
    kafka.put(topic, "a", "1")
    wait_until(lambda: any('"keys:" "a"' in line for line in page.console()), what="its key")
    kafka.put(topic, "a", None)
    wait_until(lambda: any('"a" "is gone" "was" "1"' in line for line in page.console()), what="its end")
    assert any('"open"' in line for line in page.console())


@needs_node_20
def test_what_readme_says_to_users_of_frameworks(kafka, topic, front, live, driver, tmp_path):
    server = front(topic)
    shutil.copytree(vite(tmp_path, "readme"), own_pages(server) / "built")
    live(server, "/built/index.html")
    kafka.put(topic, "a", "1")
    kafka.put(topic, "b", "2")
    for framework in ("react", "vue", "svelte"):
        shown = driver.find_element(By.ID, framework)
        wait_for(["a: 1", "b: 2"], lambda shown=shown: shown.text.replace(" b", "\nb").split("\n"))
