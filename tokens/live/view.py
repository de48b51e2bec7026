"""A live login's Chrome, shown to the member while the school asks something of a person, and only then."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.live.confinement import confine
from tokens.live.hands import Hands
from tokens.live.link import Link
from tokens.live.wire import MAX_PICTURE_BYTES, Size
from tokens.pages import is_passing

PICTURE_SECONDS = 0.25
QUALITIES = (65, 35)


class LiveView:
    """`note(asked, message)` is told of each change of what is asked of the person."""

    def __init__(self, link: Link, note: Callable[[str, str], None]) -> None:
        self._link = link
        self._note = note
        self._asked = ""
        self._taken: tuple[float, bytes] | None = None
        self._taken_at = 0.0
        self._shown = b""
        self._size: Size | None = None

    def begin(self, driver: WebDriver) -> None:
        """Chrome runs; no page is open yet."""
        self._driver = driver
        self._hands = Hands(driver)
        self._confinement = confine(driver)

    def ask(self, asked: str, message: str = "") -> None:
        """What the school asks now; "" for nothing: then no picture leaves, and no act reaches the page."""
        if asked != self._asked:
            self._asked = asked
            self._note(asked, message)

    def attend(self, url: str, document: float, seconds: float) -> None:
        """Carry acts and pictures for so long. Raises `PersonLeft`, and `LoginFailed` for a page of no school."""
        self._confinement.check(url)
        self._show_taken(document)
        self._carry_acts(time.monotonic() + seconds)
        self._take_picture(document)

    def _show_taken(self, document: float) -> None:
        """A picture leaves when the page was one for a person both before and after it was taken."""
        taken, self._taken = self._taken, None
        if taken is None or not self._asked or taken[0] != document:
            return
        if self._link.has_new_viewer() or taken[1] != self._shown:
            self._link.show(taken[1])
            self._shown = taken[1]

    def _carry_acts(self, deadline: float) -> None:
        while True:
            act = self._link.take(deadline - time.monotonic())
            if act is None:
                return
            if isinstance(act, Size):
                self._size = act
            elif self._asked:
                self._hands.carry_out(act)

    def _take_picture(self, document: float) -> None:
        if not self._asked or time.monotonic() - self._taken_at < PICTURE_SECONDS:
            return
        if self._size is not None:
            self._hands.carry_out(self._size)
            self._size = None
        self._taken_at = time.monotonic()
        picture = next((made for quality in QUALITIES if (made := self._picture(quality))), b"")
        self._taken = (document, picture) if picture else None

    def _picture(self, quality: int) -> bytes:
        """A JPEG of what the page shows; b"" where it is too large, or the page has just gone."""
        options = {"format": "jpeg", "quality": quality, "optimizeForSpeed": True}
        try:
            made = base64.b64decode(self._driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
        except WebDriverException as error:
            if not is_passing(error):
                raise
            return b""
        return made if len(made) <= MAX_PICTURE_BYTES else b""
