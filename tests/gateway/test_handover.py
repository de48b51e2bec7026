"""The window of the bookmarklet: whose message it takes, and what the form stores."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from selenium.webdriver.remote.webdriver import WebDriver

from accounts.models import Account, AuditEntry, Member
from accounts.services import member_add
from gateway import catalogue
from gateway.models import Catalogue
from tests.conftest import until
from tests.processes import Process
from tests.school import USERNAME, School
from tests.tokens.test_services import jwt
from tokens.chrome import BrowserSettings, running_chrome
from tokens.models import UpstreamToken

PAGE = "/dashboard/handover/"
MESSAGE = {"jm_token": jwt(username=USERNAME), "cookies": {"a": "b"}, "api_url": "https://jmapi.xjtlu.edu.cn/api"}


@pytest.fixture
def owner(db: None, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr("celery.current_app.send_task", lambda *args, **kwargs: None)
    return member_add(name="alice", xjtlu_username=USERNAME)


@pytest.fixture
def browser(owner: Account) -> Client:
    return signed_in(owner.member)


def signed_in(member: Member) -> Client:
    made = Client()
    made.force_login(member)
    return made


def nonce_of(browser: Client) -> str:
    found = re.search(r'data-nonce="([^"]+)"', browser.get(PAGE).content.decode())
    assert found
    return found[1]


def hand_over(browser: Client, nonce: str, message: object = MESSAGE) -> str:
    content: bytes = browser.post(PAGE, {"nonce": nonce, "token": json.dumps(message)}).content
    return content.decode()


def test_a_confirmed_token_is_stored_and_noted(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert "The token is stored" in hand_over(browser, nonce_of(browser))
    assert UpstreamToken.objects.get().is_usable
    assert AuditEntry.objects.get().action == "Handed a token over."
    assert str(MESSAGE["jm_token"]) not in caplog.text


def test_a_nonce_is_good_once(browser: Client) -> None:
    nonce = nonce_of(browser)
    hand_over(browser, nonce, {**MESSAGE, "jm_token": ""})
    assert "too old, or was sent before" in hand_over(browser, nonce)
    assert not UpstreamToken.objects.exists()


def test_two_presses_of_the_bookmark_open_two_windows_that_work(browser: Client) -> None:
    first, second = nonce_of(browser), nonce_of(browser)
    for nonce in (first, second):
        assert "The token is stored" in hand_over(browser, nonce)
        assert "too old, or was sent before" in hand_over(browser, nonce)


@pytest.mark.parametrize("nonce", ["", "guessed", "Ünicode"])
def test_another_nonce_stores_nothing(browser: Client, nonce: str) -> None:
    nonce_of(browser)
    hand_over(browser, nonce)
    assert not UpstreamToken.objects.exists()


def test_a_nonce_ends_after_ten_minutes(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    nonce = nonce_of(browser)
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert "too old" in hand_over(browser, nonce)


def test_another_sessions_nonce_is_worth_nothing(browser: Client, owner: Account) -> None:
    assert "too old" in hand_over(signed_in(owner.member), nonce_of(browser))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({**MESSAGE, "jm_token": jwt(username="Si.Li22")}, "another XJTLU user"),
        ({**MESSAGE, "api_url": "https://evil.example/api"}, "api_url"),
        ({**MESSAGE, "api_url": ""}, "has not called the school yet"),
        ([1], "no token"),
        ({**MESSAGE, "jm_token": 7}, "jm_token"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_stored(browser: Client, message: object, words: str) -> None:
    answer = hand_over(browser, nonce_of(browser), message)
    assert words in answer
    assert "Nothing was stored." in answer
    assert not UpstreamToken.objects.exists()


def test_a_page_without_a_call_goes_by_the_address_of_before(browser: Client) -> None:
    hand_over(browser, nonce_of(browser))
    hand_over(browser, nonce_of(browser), {**MESSAGE, "api_url": "", "cookies": {"odd": "ü", "good": "1"}})
    assert UpstreamToken.objects.get().api_url == MESSAGE["api_url"]


def test_this_page_alone_gives_up_its_isolation(browser: Client) -> None:
    assert browser.get(PAGE)["cross-origin-opener-policy"] == "unsafe-none"
    assert browser.get(reverse("dashboard:account"))["cross-origin-opener-policy"] == "same-origin"


def test_nobody_has_no_such_page(db: None) -> None:
    assert Client().get(PAGE).status_code == 302


def said(browser: Client) -> str:
    content: bytes = browser.get(f"{PAGE}trial/").content
    return content.decode()


def test_the_trial_says_what_the_school_said(browser: Client, owner: Account) -> None:
    hand_over(browser, nonce_of(browser))
    assert "tries it with one harmless call" in said(browser)
    catalogue.store(owner.pk, ())
    assert "The school takes it." in said(browser)
    UpstreamToken.objects.update(dead_at=timezone.now())
    assert "refused the token" in said(browser)
    UpstreamToken.objects.update(dead_at=None, captured_at=timezone.now() - timedelta(minutes=2))
    Catalogue.objects.all().delete()
    assert "has not answered yet" in said(browser)


def test_the_bookmarklet_names_both_origins(browser: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://gateway.example"
    settings.XIPU_PORTAL_URL = "https://Portal.example/start"
    page = browser.get(reverse("dashboard:account")).content.decode()
    found = re.search(r'href="javascript:([^"]+)"', page)
    assert found
    script = unquote(found[1])
    assert 'const ours = "https://gateway.example", portal = "https://portal.example"' in script
    assert not re.search(r"\b(GATEWAY|PORTAL|WORDS|PATH)\b", script)


# In a real browser


@pytest.fixture
def window(
    gateway_process: tuple[Process, str], account: Account, school: School
) -> Iterator[tuple[WebDriver, str, str]]:
    """A Chrome that is signed in at the gateway; the gateway's and the portal's address."""
    gateway = gateway_process[1]
    with running_chrome(BrowserSettings(), lambda group, scratch: None) as chrome:
        chrome.driver.get(f"{gateway}dashboard/sign-in/")
        until(lambda: "sign-in" in chrome.driver.current_url)
        session = signed_in(account.member).cookies["sessionid"].value
        chrome.driver.add_cookie({"name": "sessionid", "value": session, "path": "/"})
        yield chrome.driver, gateway, school.url


OPEN = """
const [url] = arguments;
window.heard = [];
addEventListener("message", (event) => heard.push(event.data));
window.page = open(url);
"""
SAY = "page.postMessage({jm_token: 'a.b.c', ...arguments[0], type: 'token'}, '*')"
SHOWN = "return !document.querySelector('[data-handover-form]').hidden"


def open_from(driver: WebDriver, opener: str, gateway: str) -> tuple[str, str]:
    """Open the handover's window from a page: the handles of both."""
    driver.get(opener)
    until(lambda: driver.current_url == opener and driver.execute_script("return document.readyState") == "complete")
    driver.execute_script(OPEN, f"{gateway}dashboard/handover/")
    until(lambda: len(driver.window_handles) == 2, "the window")
    first = driver.current_window_handle
    second = next(handle for handle in driver.window_handles if handle != first)
    driver.switch_to.window(second)
    until(lambda: driver.execute_script("return Boolean(document.querySelector('[data-handover]'))"), "the page")
    return first, second


def test_the_window_takes_the_portals_message_with_its_number_only(window: tuple[WebDriver, str, str]) -> None:
    driver, gateway, portal = window
    opener, page = open_from(driver, f"{portal}static/style.css", gateway)
    driver.switch_to.window(opener)
    until(lambda: driver.execute_script("return heard.length"), "its number")
    heard: list[dict[str, Any]] = driver.execute_script("return heard")
    # In their order: what came before the good one has been judged by then.
    driver.execute_script(SAY, {"nonce": "guessed", "jm_token": "forged"})
    driver.execute_script(SAY, {"jm_token": "forged"})
    driver.execute_script(SAY, {"nonce": heard[0]["nonce"]})
    driver.switch_to.window(page)
    until(lambda: driver.execute_script(SHOWN), "the question")
    taken = driver.execute_script("return document.querySelector('[data-handover-token]').value")
    assert json.loads(taken)["jm_token"] == "a.b.c"


def test_another_sites_page_hears_and_says_nothing(window: tuple[WebDriver, str, str]) -> None:
    driver, gateway, portal = window
    elsewhere = portal.replace("127.0.0.1", "localhost")
    opener, page = open_from(driver, f"{elsewhere}static/style.css", gateway)
    nonce = driver.execute_script("return document.querySelector('[data-handover]').dataset.nonce")
    driver.switch_to.window(opener)
    driver.execute_script(SAY, {"nonce": nonce})
    driver.switch_to.window(page)
    until(lambda: driver.execute_script("return !document.querySelector('[data-handover-alone]').hidden"), "the hint")
    assert not driver.execute_script(SHOWN)
    driver.switch_to.window(opener)
    assert driver.execute_script("return heard") == []
