"""Headless Firefox, driven over its own protocol (Marionette), for Debian has no geckodriver. Of
selenium's driver it has as much as browser.Page and tabs.Tabs use."""

import json
import socket
from pathlib import Path
from typing import Any

from helpers import PATIENCE_S, Process, answers, connect, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, 11


class Firefox(Process):
    def __init__(self, directory: Path):
        super().__init__("firefox", directory)
        profile = directory / "profile"
        profile.mkdir()
        port = free_port()
        (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        command = ["firefox-esr", "--headless", "--marionette", "--profile", profile]
        self.spawn([*command, "about:blank"], start_new_session=True)
        self.wait_until_up(lambda: answers(("127.0.0.1", port)))
        self._socket = connect(("127.0.0.1", port), timeout=2 * PATIENCE_S)
        self._number = 0
        self._read()  # which protocol it speaks
        # Our test CA. The browser of a user trusts it, or asks.
        self.say("WebDriver:NewSession", acceptInsecureCerts=True)

    def say(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        text = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._read()
        assert number == self._number and not error, f"{command}: {error}"
        return result.get("value", result) if isinstance(result, dict) else result

    def _read(self) -> Any:
        """Its length in bytes, a colon, and JSON."""
        length = b""
        while not length.endswith(b":"):
            got = self._socket.recv(1)
            assert got, "Firefox has closed the connection"
            length += got
        return json.loads(self._socket.recv(int(length[:-1]), socket.MSG_WAITALL))

    def get(self, url: str) -> None:
        self.say("WebDriver:Navigate", url=url)

    @property
    def current_window_handle(self) -> str:
        return self.say("WebDriver:GetWindowHandle")

    @property
    def switch_to(self) -> "SwitchTo":
        return SwitchTo(self)

    def close(self) -> None:
        self.say("WebDriver:CloseWindow")

    def set_script_timeout(self, seconds: float) -> None:
        self.say("WebDriver:SetTimeouts", script=1000 * seconds)

    def execute_script(self, script: str, *arguments: Any) -> Any:
        return self.say("WebDriver:ExecuteScript", script=script, args=arguments)

    def execute_async_script(self, script: str, *arguments: Any) -> Any:
        return self.say("WebDriver:ExecuteAsyncScript", script=script, args=arguments)

    def find_element(self, by: str, value: str) -> "Element":
        return Element(self, self.say("WebDriver:FindElement", using=by, value=value)[ELEMENT])

    def quit(self) -> None:
        self.say("Marionette:Quit", flags=["eForceQuit"])
        self._socket.close()
        self.end()


class SwitchTo:
    def __init__(self, driver: Firefox):
        self._driver = driver

    def window(self, handle: str) -> None:
        self._driver.say("WebDriver:SwitchToWindow", handle=handle)

    def new_window(self, kind: str) -> None:
        self.window(self._driver.say("WebDriver:NewWindow", type=kind)["handle"])


class Element:
    def __init__(self, driver: Firefox, reference: str):
        self._driver = driver
        self._id = reference

    def click(self) -> None:
        self._driver.say("WebDriver:ElementClick", id=self._id)

    @property
    def text(self) -> str:
        return self._driver.say("WebDriver:GetElementText", id=self._id)

    def get_attribute(self, name: str) -> str:
        return self._driver.say("WebDriver:GetElementAttribute", id=self._id, name=name)
