"""Headless Chromium, driven through chromedriver, with a profile of its own."""

from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from helpers import free_port, wait_until

PROGRAM = Path("/usr/bin/chromium")
OPTIONS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage""".split()


def chromium(directory: Path, program: Path = PROGRAM, *more: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    for option in [*OPTIONS, f"--user-data-dir={directory / 'profile'}", *more]:
        options.add_argument(option)
    # Our test CA. The browser of a user trusts it, or asks.
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(
        "/usr/bin/chromedriver", port=free_port(), log_path=str(directory / "chromedriver.log")
    )
    driver = webdriver.Chrome(service=service, options=options)
    driver.set_page_load_timeout(60)
    return driver


def back_from(driver: webdriver.Chrome, url: str, meanwhile: Callable[[], object]) -> None:
    """Its user goes elsewhere and comes back, to a page that the browser has kept as it was."""
    driver.execute_script(
        "window.persisted = null;"
        "addEventListener('pageshow', (event) => { window.persisted = event.persisted; })"
    )
    driver.get(url)
    meanwhile()
    driver.back()
    kept, why = driver.execute_script(
        "const [entry] = performance.getEntriesByType('navigation');"
        "return [window.persisted, JSON.stringify(entry?.notRestoredReasons ?? null)]"
    )
    assert kept, why


class Page:
    """htdocs/index.html, as its user sees it."""

    def __init__(self, driver: webdriver.Chrome, url: str):
        self.driver = driver
        self._console: list[str] = []
        driver.get(url)

    def go(self, location: str | None = None) -> None:
        if location is not None:
            field = self.driver.find_element(By.ID, "location")
            field.clear()
            field.send_keys(location)
        self.driver.find_element(By.XPATH, "//button[text()='Go']").click()

    def state(self) -> str:
        return self.driver.find_element(By.ID, "state").get_attribute("data-state")

    def wait_state(self, name: str) -> None:
        wait_until(lambda: self.state() == name, timeout=100, what=f"the page is {name}")

    def detail(self) -> str:
        """What the page says beside its state."""
        return self.driver.find_element(By.ID, "state-detail").text

    def wait_detail(self, part: str) -> None:
        wait_until(lambda: part in self.detail(), timeout=100, what=f"the page says {part!r}")

    def is_shown(self, text: str) -> bool:
        return text in self.driver.find_element(By.TAG_NAME, "main").text

    def messages(self) -> list[list[str]]:
        """[kind, text] of each, newest first."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('#messages > li')]"
            ".map((li) => [li.className, li.querySelector('.text').textContent])"
        )

    def wait_messages(self, *newest: str) -> None:
        """Until these are the newest messages, the newest first."""
        wait_until(
            lambda: [text for kind, text in self.messages()][: len(newest)] == list(newest),
            timeout=100,
            what=f"{newest} on the page",
        )

    def table(self) -> dict[str, str]:
        return self.driver.execute_script(
            "return Object.fromEntries([...document.querySelectorAll('#keys tr:not([hidden])')]"
            ".map((tr) => [...tr.cells].map((cell) => cell.textContent)))"
        )

    def wait_table(self, **rows: str) -> None:
        wait_until(lambda: self.table() == rows, timeout=100, what=f"{rows} in the table")

    def console(self) -> list[str]:
        """All that the page and the browser have said on it until now."""
        self._console += [entry["message"] for entry in self.driver.get_log("browser")]
        return self._console
