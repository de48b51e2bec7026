"""The page of a member's own XJTLU account: what each button does, and for whom."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts import crypto
from accounts.models import Account, AuditEntry, LoginBlock, Member
from accounts.services import account_pause, member_add
from gateway.errors import AccountUnavailable
from tests.tokens.test_services import jwt
from tokens.limits import HOUR, LOGINS_AN_HOUR
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Outcome, Trigger, UpstreamToken
from tokens.pictures import screenshot_keep

pytestmark = pytest.mark.django_db

PAGE = "/dashboard/account/"
TOKEN = {"jm_token": jwt(), "sdp_app_session": "", "cookies": {}, "api_url": "https://jmapi.xjtlu.edu.cn/api"}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was handed to the broker: task and queue."""
    tasks: list[tuple[str, str]] = []

    def send(name: str, args: Any, queue: str = "calls", **_: Any) -> None:
        tasks.append((name, queue))

    monkeypatch.setattr("celery.current_app.send_task", send)
    return tasks


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="secret-1")


@pytest.fixture
def browser(account: Account) -> Client:
    """The account's owner."""
    return signed_in(account.member)


@pytest.fixture
def other() -> Client:
    """Another member, with an account of their own."""
    return signed_in(member_add(name="mallory", xjtlu_username="Si.Li22", xjtlu_password="secret-2").member)


def signed_in(member: Member) -> Client:
    made = Client()
    made.force_login(member)
    return made


def text(response: Any) -> str:
    content: bytes = response.content
    return content.decode()


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def pasted(browser: Client, token: object) -> HttpResponse:
    answer: Any = browser.post(f"{PAGE}token/", {"token": token if isinstance(token, str) else json.dumps(token)})
    return answer  # type: ignore[no-any-return]


# The page


def test_the_page_tells_what_to_do_and_never_shows_the_password(browser: Client, account: Account) -> None:
    Account.objects.update(login_block=LoginBlock.NEEDS_YOU, login_block_reason="The sign-on asks for a captcha.")
    page = text(browser.get(PAGE))
    assert "Open the live login" in page
    assert "The sign-on asks for a captcha." in page
    assert "secret-1" not in page
    assert account.password not in page


def test_a_member_without_an_account_is_sent_to_the_admin() -> None:
    bob = signed_in(Member.objects.create_user("bob"))
    assert "Ask the gateway&#x27;s admin" in text(bob.get(PAGE))


def test_the_page_names_each_of_the_last_logins_once_with_its_steps(browser: Client, account: Account) -> None:
    now = timezone.now()
    for message in ("The sign-on refused the login.", "The time limit was reached."):
        LoginAttempt.objects.create(
            account=account,
            trigger=Trigger.REFRESH,
            created_at=now,
            started_at=now,
            ended_at=now,
            outcome=Outcome.FAILED,
            message=message,
            steps=[{"at": 0.5, "step": "opening the portal", "detail": ""}],
        )
        page = text(browser.get(PAGE))
        assert page.count(message) == 1
    assert page.count("The sign-on refused the login.") == 1
    assert page.count("opening the portal") == 2


# Buttons


def test_log_in_now_starts_a_login_in_the_background(
    browser: Client, sent: list[tuple[str, str]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(f"{PAGE}log-in/")
    assert LoginAttempt.objects.get().trigger == Trigger.PERSON
    assert sent == [("tokens.log_in", "logins")]
    assert actions() == ["Started a login."]


def test_a_new_password_is_sealed_and_tried_at_once(browser: Client, account: Account) -> None:
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
    browser.post(f"{PAGE}password/", {"xjtlu_password": " secret-3 "})
    account.refresh_from_db()
    assert crypto.unseal(account, "password") == " secret-3 "
    assert account.login_block == ""
    assert LoginAttempt.objects.count() == 1
    assert actions() == ["Changed the XJTLU password."]


def test_an_empty_password_changes_nothing(browser: Client, account: Account) -> None:
    browser.post(f"{PAGE}password/", {"xjtlu_password": ""})
    account.refresh_from_db()
    assert crypto.unseal(account, "password") == "secret-1"
    assert actions() == []


def test_the_live_login_is_asked_for_and_shown(
    browser: Client, account: Account, sent: list[tuple[str, str]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(f"{PAGE}live/")
    attempt = LoginAttempt.objects.get()
    assert attempt.live
    assert attempt.live_url.endswith(f"/dashboard/ws/browsers/{attempt.pk}/")
    assert len(crypto.unseal(attempt, "live_secret")) > 40
    assert sent == [("tokens.log_in_live", "live")]
    assert str(attempt.pk) in text(browser.get(answer["location"]))
    assert crypto.unseal(attempt, "live_secret") not in text(browser.get(answer["location"]))


def test_a_live_login_does_not_mend_what_blocks_the_account(browser: Client, account: Account) -> None:
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD, password_tries=1)
    browser.post(f"{PAGE}live/")
    account.refresh_from_db()
    assert (account.login_block, account.password_tries) == (LoginBlock.WRONG_PASSWORD, 1)


def test_a_running_login_is_not_taken_over(browser: Client, account: Account) -> None:
    LoginAttempt.objects.create(account=account, trigger=Trigger.REFRESH, started_at=timezone.now())
    answer = browser.post(f"{PAGE}live/", follow=True)
    assert "A login of this account is running." in text(answer)
    assert not LoginAttempt.objects.get().live


def test_a_waiting_login_becomes_the_live_one(browser: Client, account: Account) -> None:
    waiting = LoginAttempt.objects.create(account=account, trigger=Trigger.REFRESH)
    browser.post(f"{PAGE}live/")
    assert LoginAttempt.objects.get().pk == waiting.pk
    assert LoginAttempt.objects.get().live


@pytest.mark.parametrize("button", ["log-in", "live"])
def test_a_paused_account_says_so(browser: Client, account: Account, button: str) -> None:
    account_pause(account=account)
    answer = browser.post(f"{PAGE}{button}/", follow=True)
    assert "is paused" in text(answer)
    assert not LoginAttempt.objects.exists()
    assert actions() == []


@pytest.mark.parametrize("button", ["log-in", "live", "password", "token"])
def test_buttons_are_for_forms_of_our_own(account: Account, button: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(account.member)
    assert strict.get(f"{PAGE}{button}/").status_code == 405
    assert strict.post(f"{PAGE}{button}/").status_code == 403


# Not too often


def log_in_often(account: Account) -> str:
    """As often as an hour allows; the time from which it is possible again, as Shanghai says it."""
    begun = timezone.now() - timedelta(minutes=20)
    for _ in range(LOGINS_AN_HOUR):
        LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON, started_at=begun, ended_at=begun)
    return f"{(begun + HOUR + timedelta(seconds=59)).astimezone(ZoneInfo('Asia/Shanghai')):%H:%M}"


@pytest.mark.parametrize("button", ["log-in", "live"])
def test_the_seventh_login_of_an_hour_is_told_when_it_is_possible(
    browser: Client, account: Account, button: str
) -> None:
    time = log_in_often(account)
    page = text(browser.post(f"{PAGE}{button}/", follow=True))
    assert "was logged in 6 times within an hour. The school locks who types a password too often" in page
    assert f"possible from {time} on." in page
    assert not LoginAttempt.objects.filter(ended_at=None).exists()
    assert actions() == []


def test_that_time_is_the_members_own(browser: Client, account: Account) -> None:
    Member.objects.update(time_zone="Europe/London")
    time = log_in_often(account)
    assert f"possible from {time} on." not in text(browser.post(f"{PAGE}log-in/", follow=True))


def test_a_new_password_is_stored_even_then_but_not_tried_before(browser: Client, account: Account) -> None:
    log_in_often(account)
    page = text(browser.post(f"{PAGE}password/", {"xjtlu_password": "secret-3"}, follow=True))
    assert "The password is stored." in page
    account.refresh_from_db()
    assert crypto.unseal(account, "password") == "secret-3"
    assert account.next_login_at > timezone.now() + timedelta(minutes=39)
    with pytest.raises(AccountUnavailable):
        login_ask(account=account, trigger=Trigger.REQUEST)


# Others


def test_nobody_sees_another_members_live_login_or_picture(browser: Client, account: Account, other: Client) -> None:
    browser.post(f"{PAGE}live/")
    attempt = LoginAttempt.objects.get()
    screenshot_keep(attempt, b"\x89PNG")
    staff = signed_in(Member.objects.create_user("root", is_staff=True, is_superuser=True))
    for client in (other, staff):
        assert client.get(f"{PAGE}live/{attempt.pk}/").status_code == 404
        assert client.get(f"{PAGE}logins/{attempt.pk}/picture/").status_code == 404


def test_the_owner_gets_the_picture_which_no_cache_keeps(browser: Client, account: Account) -> None:
    attempt = LoginAttempt.objects.create(account=account, trigger=Trigger.REFRESH, ended_at=timezone.now())
    screenshot_keep(attempt, b"\x89PNG")
    answer = browser.get(f"{PAGE}logins/{attempt.pk}/picture/")
    assert answer.content == b"\x89PNG"
    assert "no-store" in answer["cache-control"]
    assert browser.get(f"{PAGE}logins/{uuid4()}/picture/").status_code == 404


# A pasted token


def test_a_pasted_token_logs_the_account_in(browser: Client, sent: list[tuple[str, str]]) -> None:
    assert pasted(browser, TOKEN).status_code == 302
    assert UpstreamToken.objects.get().is_usable
    assert actions() == ["Pasted a token."]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("{", "This is not JSON: look at line 1"),
        ("[]", "Paste a JSON object"),
        ({**TOKEN, "jm_token": ""}, "jm_token"),
        ({**TOKEN, "jm_token": jwt(username="Si.Li22")}, "another XJTLU user"),
        ({**TOKEN, "cookies": {"a": "b\nc"}}, "cookies"),
        ({**TOKEN, "cookies": {"a": "\ud800"}}, "cookies"),
        ({**TOKEN, "api_url": "https://evil.example/api"}, "api_url"),
        ({**TOKEN, "api_url": "http://[/api"}, "api_url"),
        ({**TOKEN, "api_url": f"https://a.xjtlu.edu.cn/{'x' * 400}"}, "api_url"),
        ("[" * 5000, "This is not JSON"),
    ],
)
def test_a_wrong_token_is_named_and_not_stored(browser: Client, token: object, said: str) -> None:
    answer = pasted(browser, token)
    assert answer.status_code == 200
    assert said in text(answer)
    assert not UpstreamToken.objects.exists()
    assert actions() == []
