"""Where the story of a live login stops and asks its person, in a real Chrome."""

from __future__ import annotations

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.tokens.conftest import PATIENCE_SECONDS
from tests.tokens.stand_ins import PASSWORD, USERNAME, LogIn, RememberingWatcher, SimulatedSchool, Site
from tests.tokens.test_browser import CHAT, FORM
from tokens import browser
from tokens.errors import LoginFailed, PersonLeft, WrongPassword


class Onlooker:
    """Watches, does nothing, and leaves a moment after the first question."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fields: list[str] = []
        self.driver: WebDriver | None = None
        self._patience = 3

    def begin(self, driver: WebDriver) -> None:
        self.driver = driver

    def ask(self, asked: str, message: str = "") -> None:
        if asked and asked not in self.asked:
            self.asked.append(asked)

    def attend(self, url: str, document: float, seconds: float) -> None:
        self._patience -= bool(self.asked)
        if self._patience == 0 and self.driver is not None:
            script = "return [...document.querySelectorAll('input:not([type=button])')].map((field) => field.value)"
            self.fields = self.driver.execute_script(script)
            raise PersonLeft("gone")


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
