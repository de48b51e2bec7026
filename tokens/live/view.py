"""A live login's Chrome, shown to the member while the school asks something of a person, and only then."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from selenium.common.exceptions import WebDriverException

from tokens.chrome import Chrome
from tokens.errors import PersonLeft
from tokens.live.concealment import Concealment
from tokens.live.confinement import confine
from tokens.live.dialogs import Dialogs
from tokens.live.hands import Hands
from tokens.live.link import Link
from tokens.live.wire import MAX_PICTURE_BYTES, Act, Answer, Said, Size
from tokens.network import Request
from tokens.pages import is_passing

PICTURE_SECONDS = 0.25
QUALITIES = (65, 35)


class Notes(Protocol):
    """Where it is noted what happens, for the member and the admin."""

    def asked(self, asked: str, message: str) -> None:
        """What is asked of the person has changed; "" for nothing."""

    def step(self, name: str, detail: str = "") -> None:
        """A new step of the login."""


class LiveView:
    """`password` is the one that the gateway types: no picture shows it."""

    def __init__(self, link: Link, notes: Notes, password: str) -> None:
        self._link = link
        self._notes = notes
        self._password = password
        self._asked = ""
        self._taken: tuple[float, bytes] | None = None
        self._taken_at = 0.0
        self._shown = b""
        self._said = Said()
        self._size: Size | None = None

    def begin(self, chrome: Chrome) -> None:
        """Chrome runs; no page is open yet."""
        self._link.on_stop(chrome.end)
        self._driver = chrome.driver
        self._concealment = Concealment(chrome.driver, self._password)
        self._hands = Hands(chrome.driver)
        self._dialogs = Dialogs(chrome.driver, self._concealment.clean)
        self._confinement = confine(chrome.driver, self._notes.step)

    def check(self, url: str, requests: Sequence[Request]) -> None:
        """Raises `LoginFailed` for a page of no school; `requests` are all that were made so far."""
        self._confinement.check(url, requests)

    def ask(self, asked: str, message: str = "") -> None:
        """What the school asks now; "" for nothing: then no picture leaves, and no act reaches the page."""
        if asked != self._asked:
            self._asked = asked
            # The page has cleared what it showed before.
            self._shown = b""
            self._notes.asked(asked, message)

    def attend(self, document: float, seconds: float) -> None:
        """Carry acts and pictures for so long. Raises `PersonLeft`."""
        if self._asked == "dialog":
            self.ask("")
        self._say(Said(is_wide=self._concealment.is_wide))
        self._show_taken(document)
        for act in self._acts(time.monotonic() + seconds):
            if isinstance(act, Size):
                self._size = act
            elif self._asked:
                self._hands.carry_out(act)
        self._take_picture(document)

    def attend_dialog(self, seconds: float) -> None:
        """The same while the page's own dialog is open, which nothing else gets past."""
        if not self._asked:
            self.ask("dialog", "The page asks something in a box of its own.")
        self._say(Said(dialog=self._dialogs.opened))
        for act in self._acts(time.monotonic() + seconds):
            if isinstance(act, Size):
                self._size = act
            elif isinstance(act, Answer):
                self._dialogs.answer(act)

    def left(self) -> PersonLeft | None:
        """Why there is no person any more; None while there is one."""
        return PersonLeft(self._link.end) if self._link.end else None

    def _say(self, said: Said) -> None:
        is_new = self._link.has_new_viewer()
        if is_new:
            self._shown = b""
        if is_new or said != self._said:
            self._link.say(said)
            self._said = said

    def _show_taken(self, document: float) -> None:
        """A picture leaves when the page was one for a person both before and after it was taken."""
        taken, self._taken = self._taken, None
        if taken is None or not self._asked or taken[0] != document or taken[1] == self._shown:
            return
        self._link.show(taken[1])
        self._shown = taken[1]

    def _acts(self, deadline: float) -> Iterator[Act]:
        while (act := self._link.take(deadline - time.monotonic())) is not None:
            yield act

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
        """A JPEG of what the page shows; b"" where it is too large, shows the password, or has just gone."""
        options = {"format": "jpeg", "quality": quality, "optimizeForSpeed": True}
        try:
            if not self._concealment.apply():
                return b""
            made = base64.b64decode(self._driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
            return made if len(made) <= MAX_PICTURE_BYTES and self._concealment.held() else b""
        except WebDriverException as error:
            if not is_passing(error):
                raise
            return b""
