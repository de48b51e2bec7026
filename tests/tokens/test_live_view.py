"""What the person of a live login sees and does, in a real Chrome; the way to their page is a stand-in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

import pytest
from PIL import Image
from pytest_django import Settings
from selenium.common.exceptions import UnexpectedAlertPresentException

from tests.conftest import until
from tests.tokens.stand_ins import PASSWORD, Site, until_shown
from tokens.chrome import BrowserSettings, Chrome, running_chrome
from tokens.live.concealment import Concealment
from tokens.live.view import LiveView
from tokens.live.wire import Act, Answer, Dialog, Said, Size

DISCS = "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue('-webkit-text-security')"
FORM = "<input id=name><input id=password type=password style='display: block; font-size: 40px'><p id=text>hello</p>"


class Page:
    """The member's page: what it was told, and what it has to say. Stands for the link to it."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.pictures: list[bytes] = []
        self.said: list[Said] = []
        self.is_new = False
        self.end = ""

    def take(self, seconds: float) -> Act | None:
        return self.acts.pop(0) if self.acts else None

    def show(self, picture: bytes) -> None:
        self.pictures.append(picture)

    def say(self, said: Said) -> None:
        self.said.append(said)

    def has_new_viewer(self) -> bool:
        is_new, self.is_new = self.is_new, False
        return is_new

    def on_stop(self, stopped: object) -> None: ...


class Notes:
    def asked(self, asked: str, message: str) -> None: ...

    def step(self, name: str, detail: str = "") -> None: ...


class Live:
    """A live login whose story a test tells."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome
        self.driver = chrome.driver
        self.page = Page()
        self.view = LiveView(self.page, Notes(), PASSWORD)  # type: ignore[arg-type]
        self.view.begin(chrome)

    def attend(self) -> None:
        """One turn of the story."""
        try:
            self.driver.execute_script("return 1")
            self.view.ask("captcha")
            self.view.attend(1.0, 0.0)
        except UnexpectedAlertPresentException:
            self.view.attend_dialog(0.0)

    def picture(self) -> bytes:
        """The next picture."""
        self.page.pictures.clear()
        self.page.is_new = True
        until(lambda: self.attend() or self.page.pictures, "a picture")  # type: ignore[func-returns-value]
        return self.page.pictures[-1]

    def dialog(self) -> Dialog:
        until(lambda: self.attend() or (self.page.said and self.page.said[-1].dialog), "the dialog")  # type: ignore[func-returns-value]
        told = self.page.said[-1].dialog
        assert told is not None
        return told

    def run(self, script: str) -> None:
        """In the page, a moment later: a command would wait for a dialog that it opens."""
        self.driver.execute_script(f"setTimeout(() => {{ {script} }})")

    def answer(self, accept: bool, text: str = "") -> None:
        self.page.acts.append(Answer(number=self.dialog().number, accept=accept, text=text))

    def title(self) -> str:
        self.attend()
        with suppress(UnexpectedAlertPresentException):
            return self.driver.title
        return ""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    settings = BrowserSettings(time_limit_seconds=3600, keeps_dialogs=True)
    with running_chrome(settings, lambda group, scratch: None) as running:
        yield running


@pytest.fixture
def live(chrome: Chrome, site: Site, settings: Settings) -> Live:
    settings.XIPU_PORTAL_URL = site.url
    site.pages["/"] = f"<title>start</title>{FORM}"
    chrome.driver.get(site.url)
    until_shown(lambda: chrome.driver.current_url == site.url and chrome.driver.title == "start")
    return Live(chrome)


# The stored password


SHOW = "Object.assign(document.querySelector('#password'), {type: 'text', value: arguments[0]})"


def test_an_eye_that_shows_the_password_shows_dots(live: Live) -> None:
    live.driver.execute_script("document.querySelector('#password').value = arguments[0]", PASSWORD)
    before = live.picture()
    live.driver.execute_script(SHOW, PASSWORD)
    # The first picture may be one that was taken before.
    assert [live.picture(), live.picture()] == [before, before]
    assert live.driver.execute_script("return document.querySelector('#password').type") == "password"


@pytest.mark.parametrize("rest", [PASSWORD[:-1], PASSWORD[3:], PASSWORD[:2]])
def test_what_is_left_of_it_is_not_shown_either(live: Live, rest: str) -> None:
    live.driver.execute_script("document.querySelector('#password').value = arguments[0]", PASSWORD)
    live.picture()
    live.driver.execute_script(SHOW, rest)
    live.picture()
    assert live.driver.execute_script(DISCS, "#password") == "disc"


def test_another_field_that_gets_the_password_shows_dots(live: Live) -> None:
    live.driver.execute_script("document.querySelector('#name').value = arguments[0]", PASSWORD[:-2])
    live.picture()
    assert live.driver.execute_script(DISCS, "#name") == "disc"


def test_a_text_that_holds_the_password_is_hidden(live: Live) -> None:
    live.driver.execute_script("document.querySelector('#text').textContent = 'is ' + arguments[0] + '?'", PASSWORD)
    live.picture()
    assert live.driver.execute_script("return document.querySelector('#text').textContent") == "is •••?"


def test_what_the_person_types_is_left_as_it_is(live: Live) -> None:
    live.driver.execute_script("document.querySelector('#name').value = 'their own'")
    live.picture()
    assert live.driver.execute_script(DISCS, "#name") == "none"


def test_a_page_on_which_it_cannot_be_hidden_is_not_shown(live: Live) -> None:
    live.driver.execute_script("window.WeakSet = undefined; window.concealedFields = undefined")
    assert live.view._picture(50) == b""


def test_a_picture_is_dropped_when_the_page_showed_it_meanwhile(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    hide = Concealment.apply

    def hide_and_show(concealment: Concealment) -> bool:
        hidden = hide(concealment)
        live.driver.execute_script("document.querySelector('#text').textContent = arguments[0]", PASSWORD)
        return hidden

    monkeypatch.setattr(Concealment, "apply", hide_and_show)
    assert live.view._picture(50) == b""


# Dialogs


def test_a_confirm_is_the_persons_to_answer(live: Live) -> None:
    for accept in (True, False):
        live.run("document.title = confirm('Send an SMS?')")
        assert (live.dialog().kind, live.dialog().text) == ("confirm", "Send an SMS?")
        live.answer(accept)
        until(lambda accept=accept: live.title() == str(accept).lower(), "the page's answer")  # type: ignore[misc]
        until(lambda: live.attend() or live.page.said[-1].dialog is None, "the dialog's end")  # type: ignore[func-returns-value]


def test_a_prompt_takes_what_the_person_writes(live: Live) -> None:
    live.run("document.title = prompt('Your code?', '12')")
    assert (live.dialog().kind, live.dialog().default) == ("prompt", "12")
    live.answer(True, "验证 77")
    until(lambda: live.title() == "验证 77", "the page's answer")


def test_a_frames_alert_is_told_and_no_password_in_it(live: Live) -> None:
    live.run(
        "const frame = document.createElement('iframe'); document.body.append(frame);"
        f"frame.contentWindow.alert('not {PASSWORD}!'); document.title = 'read'"
    )
    assert (live.dialog().kind, live.dialog().text) == ("alert", "not …!")
    live.answer(True)
    until(lambda: live.title() == "read", "the page going on")


def test_an_answer_to_the_dialog_before_does_not_answer_the_next(live: Live) -> None:
    live.run("confirm('one'); document.title = confirm('two')")
    first = live.dialog()
    for _ in range(2):
        live.page.acts.append(Answer(number=first.number, accept=True))
    until(lambda: live.dialog().text == "two", "the next dialog")
    live.answer(False)
    until(lambda: live.title() == "false", "the page's answer")


def test_a_dialog_of_another_window_holds_up_nothing(live: Live) -> None:
    live.run(
        "const other = open('/other'); setTimeout(() => other.eval(\"alert('hello')\"), 300); document.title = 'opened'"
    )
    until(lambda: live.title() == "opened" and len(live.driver.window_handles) == 2, "the window")
    live.view.check(live.driver.current_url, [])
    assert len(live.driver.window_handles) == 1
    assert all(said.dialog is None for said in live.page.said)


def test_a_new_page_of_the_member_is_told_of_an_open_dialog(live: Live) -> None:
    live.run("alert('hello')")
    told = live.dialog()
    live.page.said.clear()
    live.page.is_new = True
    live.attend()
    assert [said.dialog for said in live.page.said] == [told]
    live.answer(True)
    until(lambda: live.title() == "start", "the page")


# Sizes


def test_a_phones_picture_is_sharp_and_no_wider_than_the_widest(live: Live) -> None:
    for width, ratio, expected in ((326, 2.0, 960), (1280, 2.0, 1280), (700, 1.0, 700)):
        live.page.acts.append(Size(width=width, height=600, ratio=ratio))
        until(lambda expected=expected: Image.open(io.BytesIO(live.picture())).width == expected, "the size")  # type: ignore[misc]


def test_the_person_is_told_that_the_page_is_wider(live: Live) -> None:
    live.picture()
    assert live.page.said[-1].is_wide is False
    live.driver.execute_script("document.body.style.width = '3000px'")
    live.picture()
    live.attend()
    assert live.page.said[-1].is_wide is True
