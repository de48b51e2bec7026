"""Where the focus is, and what is told, when a part of a page has been replaced."""

from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import Account
from gateway.management import sample_usage
from tests.browser.browser import Browser
from tokens.models import LoginAttempt, Outcome, Trigger

USAGE, CONNECT = "/dashboard/usage/", "/dashboard/connect/"
HAS_FOCUS = "return document.activeElement.matches(arguments[0])"
TOLD = "return told.textContent"
COUNTS_SOCKETS = """
window.opened = 0;
window.WebSocket = class extends WebSocket { constructor(...given) { super(...given); window.opened += 1; } };
"""


@pytest.fixture
def member(browser: Browser, account: Account, offered: list[str]) -> Browser:
    browser.sign_in(account.member)
    return browser


@pytest.fixture
def log(member: Browser, account: Account) -> Browser:
    """With more requests than a page of it holds."""
    sample_usage.make([account.member], rows=120, days=1, seed=0, say=lambda line: None)
    member.open(USAGE)
    return member


def test_older_requests_take_the_focus_to_the_head_of_the_log(log: Browser) -> None:
    first = log.find(".log-time").text
    log.click("a[rel=next]")
    log.until(lambda: log.find(".log-time").text != first, "the older requests")
    log.until(lambda: log.script(HAS_FOCUS, "#log [data-sum]"), "the focus")


def test_a_filtered_log_says_how_much_it_holds_and_leaves_the_focus(log: Browser) -> None:
    log.choose("#id_status", "failed")
    log.until(lambda: "on this page" in log.script(TOLD), "the number of requests")
    assert log.script(HAS_FOCUS, "#id_status")


def test_a_filter_that_nothing_fits_is_told(log: Browser) -> None:
    log.fill("#id_request_id", "none\n")
    log.until(lambda: log.script(TOLD) == "No request fits these filters.", "the words")


def test_another_model_is_filled_in_where_one_stands(member: Browser, offered: list[str]) -> None:
    member.open(CONNECT)
    member.click("[data-client=dify]")
    member.choose("#model", offered[1])
    member.until(lambda: offered[1] in member.find("#client-dify").text, "the model on the card")
    assert member.script(HAS_FOCUS, "#model")
    member.open(member.path)
    assert [each.text for each in member.all("[data-client][aria-pressed=true]")] == ["Dify"]
    assert offered[1] in member.find("#client-dify").text


def test_a_session_that_another_page_renews_keeps_the_progress(member: Browser, account: Account) -> None:
    member.open("/dashboard/account/")
    member.find("[data-begun=told]")
    member.script(COUNTS_SOCKETS)
    before = Session.objects.get()
    member.sign_in(account.member)
    before.delete()
    member.until(lambda: member.script("return window.opened"), "a socket of the new session")
    Account.objects.update(paused_at=timezone.now())
    member.find("[data-progress-state] .badge", "paused")
    assert "signed out" not in member.words


def test_the_end_of_a_live_login_gets_the_focus(member: Browser, account: Account) -> None:
    attempt = LoginAttempt.objects.create(
        account=account, trigger=Trigger.PERSON, live=True, started_at=timezone.now(), lease_until=timezone.now()
    )
    member.open(f"/dashboard/account/live/{attempt.pk}/")
    member.find("[data-begun=told]")
    LoginAttempt.objects.update(ended_at=timezone.now(), outcome=Outcome.FAILED)
    member.find("[data-live-end]")
    assert member.script(HAS_FOCUS, "[data-live-end]")
