"""Reading the browser's page: one script call reports what is there, and `which_page` says which page that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.common.exceptions import (
    ElementNotInteractableException,
    JavascriptException,
    StaleElementReferenceException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

from tokens.errors import LoginFailed
from tokens.selectors import CHAT_PAGE_ADDRESSES, CODE_PAGE_ADDRESSES

PASSING_TEXTS = ("navigat", "context with specified id", "execution context", "uniqueContextId", "frame detached")
"""What Chrome says when a page goes away under a command: the next look finds the next page."""


LIBRARY = Path(__file__).with_name("pages.js").read_text(encoding="utf-8")


class Page(Enum):
    """Which page the browser shows, as far as a login cares."""

    LOADING = "loading"
    BLANK = "blank"
    BROKEN = "broken"
    SIGN_ON = "sign-on"
    CAPTCHA = "captcha"
    CODE = "second factor"
    HOME = "home"
    START = "start"
    READY = "ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Look:
    """What one look at the page found. `document` differs between two documents, even of one address."""

    url: str = "about:blank"
    document: float = 0.0
    complete: bool = False
    visible: frozenset[str] = frozenset()
    textarea: bool = False
    link_leads_here: bool = False
    error: str = ""
    text: str = ""
    empty: bool = True

    @property
    def path(self) -> str:
        """Path and fragment: a page may keep its own address in the latter."""
        parts = urlsplit(self.url)
        return f"{parts.path}#{parts.fragment}".lower()

    @property
    def place(self) -> str:
        """Host and path for a person: the query may hold tickets."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}" or self.url


def which_page(look: Look, *, chat_opened: bool = False) -> Page:
    """Say which page was seen. `chat_opened`: the link to the chat page was clicked before, whatever its address."""
    if look.url.startswith("chrome-error:"):
        return Page.BROKEN
    if "code" in look.visible and (_is_at(look, CODE_PAGE_ADDRESSES) or "password" not in look.visible):
        return Page.CODE
    if {"username", "password"} <= look.visible:
        return Page.CAPTCHA if "captcha" in look.visible else Page.SIGN_ON
    return _portal_page(look, chat_opened) or _other_page(look)


def _portal_page(look: Look, chat_opened: bool) -> Page | None:
    has_link = "chat_link" in look.visible
    at_chat_address = look.link_leads_here or _is_at(look, CHAT_PAGE_ADDRESSES)
    # Other pages of the portal have buttons and text areas too, and the home page stays a while after the click.
    if not at_chat_address and (has_link or not chat_opened):
        return Page.HOME if has_link else None
    # Other buttons of the chat page look like the start button: a text area that is shown outweighs it.
    if "textarea" not in look.visible and "start_button" in look.visible:
        return Page.START
    return Page.READY if look.textarea else None


def _other_page(look: Look) -> Page:
    if "captcha" in look.visible:
        return Page.CAPTCHA
    if look.url == "about:blank" or not look.complete:
        return Page.LOADING
    return Page.BLANK if look.empty else Page.UNKNOWN


def _is_at(look: Look, addresses: Sequence[str]) -> bool:
    return any(address in look.path for address in addresses)


def is_chat_address(look: Look) -> bool:
    """Whether the address is the chat page's, whatever it shows yet."""
    return _is_at(look, CHAT_PAGE_ADDRESSES)


def is_passing(error: WebDriverException) -> bool:
    """Whether a command only failed because its page went away."""
    # What a page's own box says is the page's.
    is_dialog = isinstance(error, UnexpectedAlertPresentException)
    return not is_dialog and any(text in str(error.msg) for text in PASSING_TEXTS)


class PageReader:
    """Looks at the page and acts on it, through `selectors`: field to CSS selectors, all of which are tried."""

    def __init__(self, driver: WebDriver, selectors: Mapping[str, Sequence[str]]) -> None:
        self._driver = driver
        self._selectors = selectors

    def look(self) -> Look:
        """Report what is there now; a page that is going away or still opening reports as one that loads.

        Raises LoginFailed for a selector that is no CSS, and WebDriverException when Chrome has broken off.
        """
        found = self._run("return look()")
        if found is None:
            return Look()
        if found.pop("invalid"):
            raise LoginFailed("One of the configured selectors is not valid CSS.")
        return Look(**{**found, "visible": frozenset(found["visible"])})

    def type(self, field: str, text: str) -> bool:
        """Type with real keys, which a page's framework notices; False when the page did not take the text."""
        element = self._run("return find(arguments[2])", field)
        if not isinstance(element, WebElement):
            return False
        try:
            if element.get_attribute("value"):
                element.clear()
            element.send_keys(text)
            return element.get_attribute("value") == text
        except (StaleElementReferenceException, ElementNotInteractableException):
            return False

    def click(self, field: str) -> bool:
        """Click by script, for another element may cover it; False when it is missing or disabled."""
        return bool(self._run("return click(arguments[2])", field))

    def focus(self, field: str) -> None:
        """What is typed next goes there."""
        self._run("find(arguments[2])?.focus()", field)

    def blank(self, texts: Sequence[str], *, everything: bool) -> bool:
        """Empty all form fields and take `texts`, or all text, off the page; True when that was done."""
        return bool(self._run("return blank(arguments[2], arguments[3])", list(texts), everything))

    def _run(self, script: str, *arguments: Any) -> Any:
        try:
            return self._driver.execute_script(
                f"{LIBRARY}\n{script}", self._selectors, list(CODE_PAGE_ADDRESSES), *arguments
            )
        except (JavascriptException, TimeoutException, StaleElementReferenceException):
            return None
        except WebDriverException as error:
            if is_passing(error):
                return None
            raise
