"""What the school refuses, in each of its shapes: the same call again, or an honest error. Never a prompt twice."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from django.db import connection

from accounts.models import Account, LoginBlock
from gateway.models import Lane, UpstreamSession
from tests.conftest import body, until
from tests.gateway.test_chat_completions import content, frames
from tests.school import School
from tokens.models import LoginAttempt, Outcome, UpstreamToken
from tokens.services import token_import

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("shape", ["http", "code"])
def test_a_call_that_was_too_fast_is_made_again_and_the_interval_grows(
    client: httpx.Client, school: School, account: Account, shape: str
) -> None:
    school.fault("too_fast", shape=shape, call="saveSession")
    assert client.post(CHAT, json=body("[[sim text=fine]]")).status_code == 200
    assert school.calls() == ["saveSession", "saveSession", "completions"]
    assert Lane.objects.get(account_id=account.pk).extra_ms > 0


@pytest.mark.parametrize("shape", ["http", "code", "event"])
def test_a_prompt_that_was_refused_as_too_fast_is_sent_again(client: httpx.Client, school: School, shape: str) -> None:
    school.fault("too_fast", shape=shape, call="completions")
    answer = client.post(CHAT, json=body("[[sim text=fine]]")).json()
    assert answer["choices"][0]["message"]["content"] == "fine"
    assert len(school.prompts()) == 1


def test_too_fast_for_ever_is_429_with_retry_after(client: httpx.Client, school: School) -> None:
    school.fault("too_fast", shape="code", call="saveSession", times=None)
    response = client.post(CHAT, json=body())
    assert (response.status_code, response.json()["error"]["code"]) == (429, "school_too_fast")
    assert 1 <= int(response.headers["retry-after"]) <= 60


def log_in_when_asked(school: School, account: Account) -> threading.Thread:
    """Play the worker: a new token as soon as a login is asked for."""

    def work() -> None:
        until(lambda: LoginAttempt.objects.filter(account=account, ended_at=None).exists(), "a login")
        token_import(account=account, pasted=school.token())
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


DEATHS: list[dict[str, Any]] = [
    {"shape": "http", "status": 401},
    {"shape": "http", "status": 403},
    {"shape": "code", "code": 401},
    {"shape": "code", "code": 403},
    {"shape": "html"},
]


@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_token_in_any_shape_starts_one_login_and_the_request_goes_on(
    client: httpx.Client, school: School, account: Account, death: dict[str, Any]
) -> None:
    school.fault("token_dead", call="saveSession", **death)
    worker = log_in_when_asked(school, account)
    answer = client.post(CHAT, json=body("[[sim text=fine]]")).json()
    worker.join()
    assert answer["choices"][0]["message"]["content"] == "fine"
    assert LoginAttempt.objects.count() == 1


def test_a_dead_token_as_first_event_of_the_stream_sends_the_prompt_once(
    client: httpx.Client, school: School, account: Account
) -> None:
    school.fault("token_dead", call="completions", shape="event")
    worker = log_in_when_asked(school, account)
    chunks = frames(client.post(CHAT, json=body("[[sim text=fine]]", stream=True)))
    worker.join()
    assert content(chunks) == "fine"
    assert len(school.prompts()) == 1


def test_a_bare_500_is_a_dead_token_where_a_harmless_call_says_so(
    client: httpx.Client, school: School, account: Account
) -> None:
    school.fault("token_dead", call="saveSession", shape="http500")
    school.fault("token_dead", call="config", shape="http")
    worker = log_in_when_asked(school, account)
    assert client.post(CHAT, json=body("[[sim text=fine]]")).status_code == 200
    worker.join()


def test_an_outage_is_no_storm_of_logins(client: httpx.Client, school: School) -> None:
    school.fault("outage", call="saveSession", shape="http", status=502, times=None)
    response = client.post(CHAT, json=body())
    assert response.status_code == 502
    assert school.calls() == ["saveSession", "config"]
    assert LoginAttempt.objects.count() == 0


def test_a_login_that_fails_is_503_with_what_happened_and_who_must_act(
    client: httpx.Client, school: School, account: Account
) -> None:
    UpstreamToken.objects.all().delete()
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD, login_block_reason="The password is wrong.")
    response = client.post(CHAT, json=body())
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "wrong_password")
    assert "The password is wrong." in error["message"]
    assert "on your account's page" in error["message"]
    assert (response.headers["x-should-retry"], "retry-after" in response.headers) == ("false", True)


def test_a_request_learns_of_the_login_that_failed_while_it_waited(
    client: httpx.Client, school: School, account: Account
) -> None:
    school.fault("token_dead", call="saveSession", shape="http", status=401)

    def fail_the_login() -> None:
        until(lambda: LoginAttempt.objects.filter(ended_at=None).exists(), "a login")
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU, login_block_reason="A captcha is asked.")
        LoginAttempt.objects.update(ended_at="2026-01-01T00:00Z", outcome=Outcome.NEEDS_YOU)
        connection.close()

    worker = threading.Thread(target=fail_the_login)
    worker.start()
    response = client.post(CHAT, json=body())
    worker.join()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "login_needs_you")


def test_a_member_without_password_and_token_is_told_what_to_do(client: httpx.Client, school: School) -> None:
    UpstreamToken.objects.all().delete()
    Account.objects.update(password="")
    response = client.post(CHAT, json=body())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "password_missing")


def test_a_stream_gets_comments_while_it_waits_for_a_login(
    client: httpx.Client, school: School, account: Account
) -> None:
    UpstreamToken.objects.all().delete()
    with client.stream("POST", CHAT, json=body("[[sim text=fine]]", stream=True)) as response:
        blocks = response.iter_text()
        assert next(blocks).startswith(": keep-alive\n\n")
        token_import(account=account, pasted=school.token())
        rest = "".join(blocks)
    assert '"content":"fine"' in rest
    assert rest.endswith("data: [DONE]\n\n")


# What must not be repeated.


@pytest.mark.parametrize("fault", ["disconnect_after_work", "server_error", "malformed"])
def test_a_prompt_that_the_school_may_have_taken_is_not_sent_again(
    client: httpx.Client, school: School, fault: str
) -> None:
    school.fault(fault, call="completions")
    response = client.post(CHAT, json=body())
    assert (response.status_code, response.headers["x-should-retry"]) == (502, "false")
    assert school.calls().count("completions") == 1


def test_a_school_that_is_down_is_503(client: httpx.Client, account: Account) -> None:
    UpstreamToken.objects.update(api_url="http://127.0.0.1:9/api")
    response = client.post(CHAT, json=body())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "school_unreachable")
    assert "retry-after" in response.headers
    assert not UpstreamSession.objects.exists()


# The cap.


def test_at_the_cap_the_gateway_frees_its_own_sessions_and_goes_on(client: httpx.Client, school: School) -> None:
    assert client.post(CHAT, json=body()).status_code == 200
    school.add_sessions(49)
    assert client.post(CHAT, json=body()).status_code == 200
    names = [session["name"] for session in school.sessions()]
    assert names.count("made by hand") == 49


def test_where_all_fifty_are_the_members_own_the_error_says_so(client: httpx.Client, school: School) -> None:
    school.add_sessions(50)
    response = client.post(CHAT, json=body())
    assert (response.status_code, response.json()["error"]["code"]) == (429, "too_many_sessions")
    assert "made by yourself in the browser" in response.json()["error"]["message"]
    assert "retry-after" in response.headers
    assert not UpstreamSession.objects.exists()
