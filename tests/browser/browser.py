"""A browser, and what a person does with it: open, look, click, type. What goes wrong meanwhile is remembered."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from django.test import Client
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoAlertPresentException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from accounts.models import Member

PHONE, DESKTOP = (360, 740), (1280, 900)
PATIENCE_SECONDS = 60.0
TALLEST_PICTURE = 6000
NOT_YET = (
    *(NoAlertPresentException, NoSuchElementException, StaleElementReferenceException),
    *(ElementClickInterceptedException, ElementNotInteractableException),
)
"""What the browser says of a thing that the page is still making."""
T = TypeVar("T")
OWN_SCHEMES = {"data", "blob", "about"}


class Browser:
    """Shows the gateway at `base`; paths are those of the gateway. `patience`: seconds that a condition may take."""

    def __init__(self, driver: Chrome, base: str, patience: float = PATIENCE_SECONDS) -> None:
        self.driver = driver
        self.base = base
        self.patience = patience
        self._expected: list[str] = []

    # The window

    def start_anew(self) -> None:
        """As somebody who was never here: nothing stored, English, light, the window of a desktop."""
        first, *others = self.driver.window_handles
        for other in others:
            self.driver.switch_to.window(other)
            self.driver.close()
        self.driver.switch_to.window(first)
        self.driver.get("about:blank")
        self.cdp("Network.enable")
        self.cdp("Network.clearBrowserCookies")
        self.cdp("Storage.clearDataForOrigin", origin=self.base.rstrip("/"), storageTypes="all")
        self.size(*DESKTOP)
        self.theme("light")
        self.language("en")
        self.faults()
        self._expected.clear()

    def cdp(self, command: str, **parameters: Any) -> Any:
        """A command of Chrome's own protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def size(self, width: int, height: int) -> None:
        """The window's, in CSS pixels."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def theme(self, name: str) -> None:
        """What the system prefers: `light` or `dark`."""
        scheme = {"name": "prefers-color-scheme", "value": name}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme, still])

    def language(self, code: str) -> None:
        """What the browser asks for: `en` or `zh-CN`."""
        agent = self.cdp("Browser.getVersion")["userAgent"]
        self.cdp("Network.setUserAgentOverride", userAgent=agent, acceptLanguage=code)

    def sign_in(self, member: Member) -> None:
        """Without the form: a session is made, and the browser gets its cookie."""
        client = Client()
        client.force_login(member, "django.contrib.auth.backends.ModelBackend")
        self.cdp("Network.setCookie", name="sessionid", value=client.cookies["sessionid"].value, url=self.base)

    def sign_out(self) -> None:
        self.cdp("Network.deleteCookies", name="sessionid", url=self.base)

    # Looking

    @property
    def path(self) -> str:
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def words(self) -> str:
        """What can be read on the page."""
        return str(self.script("return document.body ? document.body.innerText : ''"))

    def script(self, source: str, *arguments: Any) -> Any:
        return self.driver.execute_script(source, *arguments)

    def all(self, css: str, text: str = "") -> list[WebElement]:
        """The visible elements that hold `text`."""
        found = self.driver.find_elements(By.CSS_SELECTOR, css)
        return [each for each in found if each.is_displayed() and (not text or text in each.text)]

    def find(self, css: str, text: str = "") -> WebElement:
        """The first of them, waited for."""
        return self.until(lambda: next(iter(self.all(css, text)), None), f"{css} {text}")

    def see(self, text: str) -> None:
        self.until(lambda: text in self.words, f"the text {text!r}")

    def see_gone(self, text: str) -> None:
        self.until(lambda: text not in self.words, f"the end of the text {text!r}")

    def at(self, path: str) -> None:
        """Wait until the address begins so."""
        self.until(lambda: self.path.startswith(path), f"the page {path}")

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Wait for what is neither false nor None, and return it."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                if value := condition():
                    return value
            except NOT_YET:
                pass
            assert time.monotonic() < deadline, f"{what} did not come at {self.path}; to be read: {self.words[:1000]}"
            time.sleep(0.03)

    # Doing

    def open(self, path: str) -> None:
        self.driver.get(urljoin(self.base, path))

    def click(self, css: str, text: str = "") -> None:
        """The first that can be clicked, waited for."""

        def clicked() -> bool:
            for each in self.all(css, text)[:1]:
                each.click()
                return True
            return False

        self.until(clicked, f"{css} {text}, clickable,")

    def fill(self, css: str, value: str) -> None:
        """Type into a field, in place of what stands there."""

        def filled() -> bool:
            for field in self.all(css)[:1]:
                field.clear()
                field.send_keys(value)
                return True
            return False

        self.find(css)
        self.until(filled, css)

    def choose(self, css: str, value: str) -> None:
        """An option of a select, by its value."""
        Select(self.find(css)).select_by_value(value)

    def accept(self) -> str:
        """Say yes to the page's question: its words."""
        alert = self.until(lambda: self.driver.switch_to.alert, "a question")
        words = str(alert.text)
        alert.accept()
        return words

    # Judging

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.script("return document.documentElement.scrollWidth - window.innerWidth"))

    def picture(self, file: Path) -> None:
        """The whole page, as far as a picture should be tall; the window keeps its width."""
        width, height = self.script("return [window.innerWidth, window.innerHeight]")
        full = int(self.script("return document.documentElement.scrollHeight"))
        self.size(width, max(height, min(full, TALLEST_PICTURE)))
        file.write_bytes(base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"]))
        self.size(width, height)

    def expect(self, text: str) -> None:
        """A fault with this text in it is none in this test, such as the 403 that is being tested."""
        self._expected.append(text)

    def faults(self) -> list[str]:
        """Errors on the console, breaches of the page's policy and requests to other hosts, since last asked."""
        faults = [*self._console(), *self._strangers()]
        return [fault for fault in faults if not any(text in fault for text in self._expected)]

    def _log(self, name: str) -> list[dict[str, Any]]:
        return list(self.driver.get_log(name))  # type: ignore[no-untyped-call]

    def _console(self) -> Iterator[str]:
        for entry in self._log("browser"):
            if entry["level"] == "SEVERE" or "Content Security Policy" in entry["message"]:
                yield f"console: {entry['message']}"

    def _strangers(self) -> Iterator[str]:
        """Addresses on other hosts that the pages asked for."""
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            address = asked_address(message["method"], message["params"])
            parts = urlsplit(address)
            if parts.netloc != urlsplit(self.base).netloc and parts.scheme not in OWN_SCHEMES:
                yield f"a request to another host: {address}"


def asked_address(method: str, parameters: dict[str, Any]) -> str:
    """The address that an event of Chrome's protocol tells of; `about:` for the others."""
    if method == "Network.requestWillBeSent":
        return str(parameters["request"]["url"])
    if method == "Network.webSocketCreated":
        return str(parameters["url"])
    return "about:"
