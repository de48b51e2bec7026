"""Where the story of a live login stops and asks its person, in a real Chrome."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from tests.tokens.conftest import PATIENCE_SECONDS
from tests.tokens.stand_ins import PASSWORD, USERNAME, LogIn, RememberingWatcher, SimulatedSchool, Site
from tests.tokens.test_browser import CHAT, FORM
from tokens import browser
from tokens.browser import BrowserSettings
from tokens.chrome import Chrome
from tokens.errors import LoginFailed, LoginTimedOut, PersonLeft, WrongPassword
from tokens.network import Request


class Onlooker:
    """Watches, does nothing, and leaves a moment after the first question."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fields: list[str] = []
        self.dialogs: list[str] = []
        self.stays = False
        self.chrome: Chrome | None = None
        self._patience = 3
        self._left: PersonLeft | None = None

    def begin(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def check(self, url: str, requests: Sequence[Request]) -> None: ...

    def ask(self, asked: str, message: str = "") -> None:
        if asked and asked not in self.asked:
            self.asked.append(asked)

    def attend(self, document: float, seconds: float) -> None:
        self._patience -= bool(self.asked) and not self.stays
        if self._patience == 0 and self.chrome is not None:
            script = "return [...document.querySelectorAll('input:not([type=button])')].map((field) => field.value)"
            self.fields = self.chrome.driver.execute_script(script)
            raise PersonLeft("gone")

    def attend_dialog(self, seconds: float) -> None:
        assert self.chrome is not None
        self.dialogs.append(self.chrome.driver.switch_to.alert.text)
        self.chrome.driver.switch_to.alert.accept()

    def left(self) -> PersonLeft | None:
        return self._left

    def stop(self) -> None:
        """As the thread does that hears the person."""
        assert self.chrome is not None
        self._left = PersonLeft("stopped")
        self.chrome.end()


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that stands still for a while is slow, not a question to the person."""
    monkeypatch.setattr(browser, "PERSON_SECONDS", 60.0)


@pytest.fixture
def onlooker() -> Onlooker:
    return Onlooker()


def test_a_captcha_beside_the_form_finds_it_filled_in_and_not_sent(
    site: Site, log_in_now: LogIn, onlooker: Onlooker, watcher: RememberingWatcher
) -> None:
    site.pages["/"] = FORM.format("") + "<div class=image-captcha>Type what you see</div>"
    with pytest.raises(PersonLeft) as left:
        log_in_now(portal_url=site.url, viewer=onlooker)
    assert (onlooker.asked, onlooker.fields) == (["captcha"], [USERNAME, PASSWORD])
    assert watcher.happened.count("before_password") == 1
    assert site.posted == []
    assert left.value.screenshot is None


def test_a_sign_on_without_a_stored_password_asks_for_it(
    school: SimulatedSchool, log_in_now: LogIn, onlooker: Onlooker
) -> None:
    with pytest.raises(PersonLeft):
        log_in_now(password=None, viewer=onlooker)
    assert onlooker.asked == ["password"]
    # The name is known.
    assert onlooker.fields == [USERNAME, ""]
    assert school.user()["password_tries"] == 0


@pytest.mark.parametrize(
    ("check", "asked"), [("slider", "captcha"), ("second_factor", "second factor"), ("blank", "bot check")]
)
def test_each_check_is_put_to_the_person(
    school: SimulatedSchool, log_in_now: LogIn, onlooker: Onlooker, check: str, asked: str
) -> None:
    school.set(check=check)
    with pytest.raises(PersonLeft):
        log_in_now(patience=1 if check == "blank" else PATIENCE_SECONDS, viewer=onlooker)
    assert onlooker.asked == [asked]


def test_a_page_that_is_not_known_is_shown(
    site: Site, log_in_now: LogIn, onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "PERSON_SECONDS", 0.2)
    site.pages["/"] = "<p>Please agree to the new terms.</p><button>OK</button>"
    with pytest.raises(PersonLeft):
        log_in_now(portal_url=site.url, viewer=onlooker)
    assert onlooker.asked == ["page"]


def test_a_wrong_password_ends_it_though_a_person_is_there(
    school: SimulatedSchool, log_in_now: LogIn, onlooker: Onlooker
) -> None:
    with pytest.raises(WrongPassword):
        log_in_now(password="wrong-password", viewer=onlooker)
    assert (onlooker.asked, school.user()["password_tries"]) == ([], 1)


def test_the_chat_page_is_never_shown(
    site: Site, log_in_now: LogIn, onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "PERSON_SECONDS", 0.0)
    site.pages["/"] = "<script>location.href = '/v3/chat'</script>"
    site.pages["/v3/chat"] = "<p>Loading your chats</p>" + f"<template>{CHAT}</template>"
    with pytest.raises(LoginFailed):
        log_in_now(portal_url=site.url, patience=4, viewer=onlooker)
    assert "page" not in onlooker.asked


# Dialogs, time and stop


def keeping_dialogs() -> BrowserSettings:
    return BrowserSettings(time_limit_seconds=3600, patience_seconds=PATIENCE_SECONDS, keeps_dialogs=True)


def test_a_dialog_of_the_sign_on_is_the_persons_and_the_login_goes_on(
    site: Site, log_in_now: LogIn, onlooker: Onlooker
) -> None:
    show_captcha = "document.body.innerHTML += '<div class=image-captcha>Type what you see</div>'"
    site.pages["/"] = FORM.format("") + f"<script>setTimeout(() => confirm('Ready?') && ({show_captcha}))</script>"
    with pytest.raises(PersonLeft):
        log_in_now(portal_url=site.url, password=None, viewer=onlooker, browser=keeping_dialogs())
    assert onlooker.dialogs == ["Ready?"]
    assert onlooker.asked[-1] == "captcha"


def test_a_dialog_of_the_chat_page_holds_up_nothing(site: Site, log_in_now: LogIn, onlooker: Onlooker) -> None:
    site.pages["/"] = "<a href='/v3/chat'>chat</a>"
    site.pages["/v3/chat"] = f"<script>alert('News!')</script>{CHAT}"
    assert log_in_now(portal_url=site.url, viewer=onlooker, browser=keeping_dialogs()).jm_token
    assert onlooker.dialogs == []


def test_a_person_has_the_last_moments_too(
    site: Site, log_in_now: LogIn, onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the background a part of the time is for the screenshot.
    monkeypatch.setattr(browser, "SCREENSHOT_SHARE", 1.0)
    site.pages["/"] = FORM.format("")
    with pytest.raises(LoginTimedOut):
        log_in_now(portal_url=site.url, password="")
    with pytest.raises(PersonLeft):
        log_in_now(portal_url=site.url, password=None, viewer=onlooker)


def test_a_stop_ends_a_login_whose_page_is_busy(site: Site, log_in_now: LogIn, onlooker: Onlooker) -> None:
    onlooker.stays = True
    busy = threading.Event()

    def hang() -> str:
        busy.set()
        return ""

    site.pages["/busy"] = hang
    loop = "const request = new XMLHttpRequest(); request.open('GET', '/busy', false); request.send(); while (true);"
    site.pages["/"] = FORM.format("") + f"<script>setTimeout(() => {{ {loop} }}, 1000)</script>"
    threading.Thread(target=lambda: (busy.wait(), onlooker.stop()), daemon=True).start()  # type: ignore[func-returns-value]
    with pytest.raises(PersonLeft, match="stopped"):
        log_in_now(portal_url=site.url, password=None, viewer=onlooker, browser=keeping_dialogs())
