"""Tabs of a browser, each with a Fanout of its own (htdocs/fanout.js), as window.f."""

from typing import Any

from selenium import webdriver

from firefox import Firefox
from helpers import wait_until

# Of each key the offsets only rise; what does not is kept in window.wrong.
OPEN = """
const [url, options, guarded, done] = arguments;
(async () => {
  const { Fanout } = await import("/fanout.js");
  const { mintToken } = guarded ? await import("/demo-token.js") : {};
  const token = guarded ? async () => (await mintToken()).text : undefined;
  const newest = new Map();
  window.wrong = [];
  window.states = [];
  window.f = new Fanout(url, { ...options, token });
  f.on("state", ({ state, why, note }) => states.push(note ?? why ?? state));
  f.on("change", ({ key, offset, value, deleted, reset, reason }) => {
    if (reset) wrong.push(`reset ${reason}`);
    else if (offset <= (newest.get(key) ?? -1)) wrong.push(`${key}: ${newest.get(key)}, then ${offset} ${value}`);
    if (!(deleted && offset === undefined)) newest.set(key, offset);
  });
})().then(done, (error) => done(String(error)));
"""


class Tabs:
    def __init__(self, driver: webdriver.Chrome | Firefox, page: str):
        self.driver = driver
        self.page = page
        self.first = driver.current_window_handle  # stays empty, so that all others may be closed
        self.handles: list[str] = []

    def open(self, url: str = "/events", guarded: bool = False, **options: Any) -> str:
        self.driver.switch_to.new_window("tab")
        self.driver.get(self.page)
        self.driver.set_script_timeout(60)
        assert self.driver.execute_async_script(OPEN, url, options, guarded) is None
        self.handles.append(self.driver.current_window_handle)
        return self.handles[-1]

    def ask(self, tab: str, script: str, *arguments: Any) -> Any:
        self.driver.switch_to.window(tab)
        return self.driver.execute_script(script, *arguments)

    def table(self, tab: str) -> dict[str, str]:
        return self.ask(tab, "return Object.fromEntries(f.table)")

    def state(self, tab: str) -> dict[str, Any]:
        return self.ask(tab, "return f.state")

    def wrong(self) -> list[str]:
        return [one for tab in self.handles for one in self.ask(tab, "return wrong")]

    def now(self) -> float:
        """Seconds, by the browser's clock."""
        return self.ask(self.first, "return Date.now()") / 1000

    def leader(self) -> str:
        def find() -> str | None:
            return next((tab for tab in self.handles if self.state(tab).get("leader")), None)

        return wait_until(find, what="a tab that leads")

    def close(self, tab: str) -> None:
        self.handles.remove(tab)
        self.driver.switch_to.window(tab)
        self.driver.close()
        self.driver.switch_to.window(self.first)

    def leave(self, tab: str) -> None:
        """Its user goes to another page."""
        self.handles.remove(tab)
        self.driver.switch_to.window(tab)
        self.driver.get("about:blank")

    def command(self, tab: str, name: str, **parameters: Any) -> None:
        self.driver.switch_to.window(tab)
        self.driver.execute_cdp_cmd(name, parameters)

    def freeze(self, tab: str) -> None:
        self.command(tab, "Page.setWebLifecycleState", state="frozen")

    def thaw(self, tab: str) -> None:
        self.command(tab, "Page.setWebLifecycleState", state="active")

    def wait_tables(self, wanted: dict[str, str], timeout: float = 60) -> None:
        for tab in self.handles:
            wait_until(lambda tab=tab: self.table(tab) == wanted, timeout, f"{wanted} in {tab}")

    def close_all(self) -> None:
        for tab in list(self.handles):
            self.close(tab)
