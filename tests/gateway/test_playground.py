"""The playground's chat: a session stands for the key, and only our own page may use it."""

from __future__ import annotations

import json

import django_otp
import httpx
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from accounts.models import Account, Member, SecondFactor
from gateway.models import UsageRecord
from tests.conftest import body, closed_record
from tests.school import School

CHAT = "/dashboard/playground/chat/completions"
TOKEN = "t" * 32
PAGE = "/dashboard/playground/"


def session_of(member: Member) -> str:
    client = Client()
    client.force_login(member, "django.contrib.auth.backends.ModelBackend")
    return client.cookies["sessionid"].value


def as_page(http: httpx.Client, member: Member) -> httpx.Client:
    """Sends what our page sends when this member is signed in."""
    http.cookies.update({"sessionid": session_of(member), "csrftoken": TOKEN})
    origin = str(http.base_url).rstrip("/")
    http.headers.update({"x-csrftoken": TOKEN, "origin": origin, "sec-fetch-site": "same-origin"})
    return http


@pytest.fixture
def page(gateway: httpx.Client, account: Account, offered: list[str]) -> httpx.Client:
    return as_page(gateway, account.member)


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_member_who_is_signed_in_chats_without_a_key(page: httpx.Client, account: Account) -> None:
    answer = page.post(CHAT, json=body("hello")).json()
    assert "hello" in answer["choices"][0]["message"]["content"]
    record = closed_record()
    assert (record.member, record.account, record.api_key) == (account.member, account, None)
    assert (record.endpoint, record.status) == ("playground", "done")


def test_the_playground_streams(page: httpx.Client) -> None:
    text = page.post(CHAT, json=body("hello", stream=True)).text
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("summary", "estimated"), [("", False), (" no_summary", True)])
def test_estimated_counts_are_marked_for_the_page(page: httpx.Client, summary: str, estimated: bool) -> None:
    asked = body(f'[[sim text="a b c"{summary}]]', stream=True, stream_options={"include_usage": True})
    *_, last, _done = page.post(CHAT, json=asked).text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["usage"]["estimated"] is estimated


def test_a_member_asks_their_own_account_only(page: httpx.Client, school: School) -> None:
    school.add_user("Li.Si21")
    page.post(CHAT, json=body())
    assert school.calls("Li.Si21") == []


@pytest.mark.parametrize("session", ["", "abcdefghijklmnopqrstuvwxyz012345"])
def test_nobody_is_sent_to_sign_in(page: httpx.Client, school: School, session: str) -> None:
    page.cookies["sessionid"] = session
    response = page.post(CHAT, json=body())
    assert refused(response) == (401, "not_signed_in")
    assert school.calls() == []
    assert not UsageRecord.objects.exists()


def test_a_key_is_no_session(page: httpx.Client, api_key: str) -> None:
    del page.cookies["sessionid"]
    headers = {"authorization": f"Bearer {api_key}"}
    assert refused(page.post(CHAT, json=body(), headers=headers)) == (401, "not_signed_in")


FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"x-csrftoken": ""},
    {"x-csrftoken": "u" * 32},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_sites_page_is_refused(page: httpx.Client, school: School, headers: dict[str, str]) -> None:
    assert refused(page.post(CHAT, json=body(), headers=headers)) == (403, "foreign_page")
    assert school.calls() == []


def test_a_request_that_does_not_say_whose_page_sent_it_is_refused(page: httpx.Client) -> None:
    del page.headers["origin"], page.headers["sec-fetch-site"]
    assert refused(page.post(CHAT, json=body())) == (403, "foreign_page")


def test_a_form_of_another_site_is_refused(page: httpx.Client) -> None:
    response = page.post(CHAT, data={"model": "x"})
    assert response.status_code == 400


def test_other_sites_are_not_invited(page: httpx.Client) -> None:
    response = page.post(CHAT, json=body())
    assert "access-control-allow-origin" not in response.headers
    preflight = page.options(CHAT, headers={"origin": "https://evil.example"})
    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers


def test_a_member_who_is_not_active_is_refused(page: httpx.Client) -> None:
    Member.objects.update(is_active=False)
    assert refused(page.post(CHAT, json=body())) == (401, "not_signed_in")


def test_a_changed_password_ends_the_session(page: httpx.Client, account: Account) -> None:
    account.member.set_password("another")
    account.member.save()
    assert refused(page.post(CHAT, json=body())) == (401, "not_signed_in")


def test_a_second_factor_that_was_not_given_is_asked_for(page: httpx.Client, account: Account) -> None:
    factor = SecondFactor.objects.create(user=account.member, name="app", confirmed=True)
    assert refused(page.post(CHAT, json=body())) == (401, "not_signed_in")
    session = SessionStore(page.cookies["sessionid"])
    session[django_otp.DEVICE_ID_SESSION_KEY] = factor.persistent_id
    session.save()
    assert page.post(CHAT, json=body()).status_code == 200


def test_a_member_without_an_account_is_told_so(page: httpx.Client) -> None:
    page.cookies["sessionid"] = session_of(Member.objects.create(username="nobody"))
    assert refused(page.post(CHAT, json=body())) == (403, "no_account")


# The page


@pytest.mark.usefixtures("offered")
def test_the_page_offers_the_accounts_models(account: Account, offered: list[str]) -> None:
    client = Client()
    client.force_login(account.member, "django.contrib.auth.backends.ModelBackend")
    page = client.get(f"{PAGE}?model={offered[1]}").content.decode()
    assert f'<option value="{offered[1]}" selected>' in page
    assert f'<option value="{offered[0]}" data-online data-thinking>' in page


@pytest.mark.django_db
def test_without_an_account_the_page_says_what_to_do() -> None:
    client = Client()
    client.force_login(Member.objects.create(username="nobody"), "django.contrib.auth.backends.ModelBackend")
    assert "No XJTLU account is set up for you yet" in client.get(PAGE).content.decode()


@pytest.mark.django_db
def test_nobody_is_led_to_the_sign_in() -> None:
    assert Client().get(PAGE).headers["location"].startswith("/dashboard/sign-in/")
