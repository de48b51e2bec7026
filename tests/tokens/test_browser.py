"""The story of a login, in a real Chrome, at the simulated school."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from tests.tokens.stand_ins import PASSWORD, USERNAME, LogIn, RememberingWatcher, SimulatedSchool, Site
from tokens import browser
from tokens.browser import BrowserSettings
from tokens.chrome import Chrome
from tokens.errors import (
    LoginFailed,
    LoginTimedOut,
    PasswordNeeded,
    PersonNeeded,
    WrongPassword,
)

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _nothing_is_left(watcher: RememberingWatcher) -> Iterator[None]:
    yield
    assert watcher.scratch.name.startswith("xipu-chrome-")
    assert watcher.alive() == []
    assert not watcher.scratch.exists()


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_both_generations_give_a_token_though_elements_come_late(
    school: SimulatedSchool, log_in_now: LogIn, generation: str
) -> None:
    school.set(sign_on=generation, wire=generation, element_delay_ms=500)
    capture = log_in_now()
    base = "/jmapi/api" if generation == "2026" else "/api"
    assert capture.api_url.endswith(base)
    assert capture.jm_token.count(".") == 2
    assert bool(capture.sdp_app_session) == (generation == "2025")
    assert capture.origin == school.url.rstrip("/")
    assert "Headless" not in capture.user_agent


def test_a_try_is_noted_before_the_password_leaves_and_a_known_browser_needs_none(
    school: SimulatedSchool, log_in_now: LogIn, watcher: RememberingWatcher
) -> None:
    tries: list[int] = []
    watcher.at_password = lambda: tries.append(school.user()["password_tries"])
    first = log_in_now()
    assert tries == [0]
    second = log_in_now(password=None, sign_on_cookies=first.sign_on_cookies)
    assert second.jm_token != first.jm_token
    assert tries == [0]
    assert school.user()["password_tries"] == 1


def test_the_lane_is_held_while_the_chat_page_may_call(
    school: SimulatedSchool, log_in_now: LogIn, watcher: RememberingWatcher
) -> None:
    # The page makes its second call so long after its first that it has been left by then.
    school.set(interval=3600)
    log_in_now()
    happened = watcher.happened
    assert happened.index("lane entered") < happened.index("opening the chat page")
    assert happened[-1] == "lane left"
    assert len(watcher.calls) == len(school.user()["calls"]) == 1


def test_a_wrong_password_is_tried_once_and_told_in_the_pages_words(school: SimulatedSchool, log_in_now: LogIn) -> None:
    with pytest.raises(WrongPassword, match="Incorrect username or password") as caught:
        log_in_now(password="wrong-password")
    assert school.user()["password_tries"] == 1
    assert caught.value.screenshot is not None
    assert caught.value.screenshot.startswith(PNG)


def test_a_wrong_password_in_chinese_on_the_form_of_2025(school: SimulatedSchool, log_in_now: LogIn) -> None:
    school.set(sign_on="2025", language="zh")
    with pytest.raises(WrongPassword, match="用户名或密码错误"):
        log_in_now(password="wrong-password")
    assert school.user()["password_tries"] == 1


@pytest.mark.parametrize("check", ["slider", "image_code"])
def test_a_captcha_is_for_a_person(school: SimulatedSchool, log_in_now: LogIn, check: str) -> None:
    school.set(check=check)
    with pytest.raises(PersonNeeded) as caught:
        log_in_now()
    assert caught.value.asked == "captcha"


def test_a_blank_page_is_a_bot_check(school: SimulatedSchool, log_in_now: LogIn, watcher: RememberingWatcher) -> None:
    school.set(check="blank")
    with pytest.raises(PersonNeeded) as caught:
        log_in_now(patience=1)
    assert caught.value.asked == "bot check"
    assert "before_password" not in watcher.happened


def test_a_person_gives_the_second_factors_code(
    school: SimulatedSchool, log_in_now: LogIn, watcher: RememberingWatcher
) -> None:
    school.set(check="second_factor", sign_on="2025")
    watcher.give_code = lambda: str(school.user()["second_factor_code"])
    assert log_in_now().jm_token
    assert "verification code was sent" in watcher.asked[0]


def test_a_wrong_code_is_asked_for_again_three_times_at_most(
    school: SimulatedSchool, log_in_now: LogIn, watcher: RememberingWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "CODE_SECONDS", 60.0)
    school.set(check="second_factor")
    watcher.give_code = lambda: "wrong"
    with pytest.raises(PersonNeeded, match="refused 3 codes"):
        log_in_now()
    assert len(watcher.asked) == 3
    assert school.user()["sms_sent"] == 1


def test_nobody_there_for_the_second_factor_ends_the_login(school: SimulatedSchool, log_in_now: LogIn) -> None:
    school.set(check="second_factor")
    with pytest.raises(PersonNeeded) as caught:
        log_in_now()
    assert caught.value.asked == "second factor"
    assert school.user()["sms_sent"] == 1


def test_without_a_password_the_sign_on_page_ends_the_login(school: SimulatedSchool, log_in_now: LogIn) -> None:
    with pytest.raises(PasswordNeeded):
        log_in_now(password=None)
    assert school.user()["password_tries"] == 0


@pytest.mark.usefixtures("short_wait_for_token")
def test_a_page_that_makes_no_calls_gives_its_token_from_its_store(school: SimulatedSchool, log_in_now: LogIn) -> None:
    school.set(page_calls_api=False, token_storage="none")
    capture = log_in_now(api_url="http://127.0.0.1:9/api/")
    assert capture.jm_token.count(".") == 2
    assert capture.api_url == "http://127.0.0.1:9/api"


@pytest.mark.usefixtures("short_wait_for_token")
def test_a_token_without_an_address_for_it_is_a_failed_login(school: SimulatedSchool, log_in_now: LogIn) -> None:
    school.set(page_calls_api=False)
    with pytest.raises(LoginFailed, match="XIPU_API_URL"):
        log_in_now()


def test_no_secret_reaches_the_log(
    school: SimulatedSchool, log_in_now: LogIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("selenium").setLevel(logging.DEBUG)
    capture = log_in_now()
    cookies = [str(cookie["value"]) for cookie in capture.sign_on_cookies]
    for secret in (PASSWORD, capture.jm_token, *capture.cookies.values(), *cookies):
        assert secret not in caplog.text + repr(capture)


def test_a_page_that_never_answers_is_ended_at_the_time_limit(
    site: Site, log_in_now: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def page() -> str:
        asked.set()
        return site.hang()

    # The time is over once the page was asked for, however long Chrome took to start.
    monkeypatch.setattr(Chrome, "seconds_left", property(lambda _: 0.0 if asked.is_set() else 100.0))
    site.pages["/"] = page
    with pytest.raises(LoginTimedOut, match="120 s"):
        log_in_now(portal_url=site.url, browser=BrowserSettings())


def test_a_portal_that_cannot_be_reached_is_named(log_in_now: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "STAY_SECONDS", 5.0)
    with pytest.raises(LoginFailed, match="ERR_NAME_NOT_RESOLVED"):
        log_in_now(portal_url="http://portal.invalid/")


FORM = """<form method=post><input id=username_show><input id=password_show type=password>
<div id=msg>{}</div><div id=btn_login><input type=button onclick="form.submit()"></div></form>"""


def test_a_captcha_before_the_form_is_sent_keeps_the_password_back(
    site: Site, log_in_now: LogIn, watcher: RememberingWatcher
) -> None:
    site.pages["/"] = FORM.format("") + "<div class=image-captcha>Type what you see</div>"
    with pytest.raises(PersonNeeded):
        log_in_now(portal_url=site.url)
    assert "before_password" not in watcher.happened
    assert site.posted == []


def test_a_form_that_comes_back_silent_is_not_sent_again(site: Site, log_in_now: LogIn) -> None:
    site.pages["/"] = FORM.format("")
    with pytest.raises(LoginFailed):
        log_in_now(patience=8, portal_url=site.url)
    assert site.posted == ["/"]


def test_a_notice_that_was_there_before_is_no_refusal(
    site: Site, log_in_now: LogIn, watcher: RememberingWatcher
) -> None:
    site.pages["/"] = FORM.format("Your session has expired.").replace("form.submit()", "")
    with pytest.raises(LoginFailed):
        log_in_now(patience=3, portal_url=site.url)
    assert "before_password" in watcher.happened


def test_the_pages_error_never_repeats_the_username(site: Site, log_in_now: LogIn) -> None:
    site.pages["/"] = FORM.format(f"No {USERNAME.lower()} with {PASSWORD} here. " + "x" * 300)
    with pytest.raises(WrongPassword) as caught:
        log_in_now(portal_url=site.url)
    assert "No … with … here" in caught.value.message
    assert len(caught.value.message) < 260


CHAT = """<textarea></textarea><script>
fetch("/x/chat/session", {headers: {"Jm-Token": "first"}}).then(() =>
  fetch("/x/chat/config", {headers: {"Jm-Token": "second", "Sdp-App-Session": "s"}}));
document.cookie = "scoped=1; path=/x";
</script>"""


def test_a_portal_that_leads_straight_to_the_chat_page(
    site: Site, log_in_now: LogIn, watcher: RememberingWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for the second call to follow the first on a machine that is busy.
    monkeypatch.setattr(browser, "QUIET_SECONDS", 3.0)
    monkeypatch.setattr(browser, "MAX_SETTLING_SECONDS", 30.0)
    site.pages["/"] = "<script>location.href = '/v3/chat'</script>"
    site.pages["/v3/chat"] = CHAT
    capture = log_in_now(portal_url=site.url, password=None)
    assert (capture.jm_token, capture.sdp_app_session, capture.cookies) == ("second", "s", {"scoped": "1"})
    assert capture.api_url == f"{site.url}x"
    assert len(watcher.calls) == 2


@pytest.mark.usefixtures("short_wait_for_token")
def test_a_stored_token_goes_with_the_address_of_a_call_without_one(site: Site, log_in_now: LogIn) -> None:
    store = "localStorage.setItem(btoa('__XP_JM_USER__'), 'v¨token¨¨stored¨'); fetch('/x/chat/config?lang=en')"
    site.pages["/"] = "<a href='/v3/chat'>Chat</a>"
    site.pages["/v3/chat"] = f"<textarea></textarea><script>{store}</script>"
    capture = log_in_now(portal_url=site.url, password=None)
    assert (capture.jm_token, capture.api_url) == ("stored", f"{site.url}x")
