"""Whose request it is, and who is sent away."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from accounts.keys import key_issue, key_revoke
from accounts.models import Account, ApiKey, Member
from accounts.services import account_pause, account_resume, member_add
from tests.conftest import body, closed_record
from tests.school import School
from tokens.services import token_import

CHAT = "/v1/chat/completions"


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic eA=="}, {"authorization": "Bearer"}])
def test_a_request_without_a_key_is_401(gateway: httpx.Client, headers: dict[str, str]) -> None:
    assert refused(gateway.post(CHAT, json=body(), headers=headers)) == (401, "invalid_api_key")


@pytest.mark.parametrize("change", [str.upper, lambda key: key[:-1], lambda key: key + "0", lambda key: "sk-" + key])
def test_a_key_that_is_not_exactly_right_is_401(client: httpx.Client, api_key: str, change: object) -> None:
    key = change(api_key)  # type: ignore[operator]
    assert refused(client.get("/v1/models", headers={"authorization": f"Bearer {key}"})) == (401, "invalid_api_key")


def test_revoking_works_on_the_next_request(client: httpx.Client) -> None:
    assert client.get("/v1/models").status_code == 200
    key_revoke(key=ApiKey.objects.get())
    assert refused(client.get("/v1/models")) == (401, "invalid_api_key")


def test_an_expired_key_is_401(client: httpx.Client) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    response = client.get("/v1/models")
    assert refused(response) == (401, "invalid_api_key")
    assert "expired" in response.json()["error"]["message"]


def test_a_member_who_is_not_active_is_401(client: httpx.Client) -> None:
    Member.objects.update(is_active=False)
    assert refused(client.get("/v1/models")) == (401, "invalid_api_key")


def test_a_member_without_an_account_is_403(gateway: httpx.Client) -> None:
    _, key = key_issue(member=Member.objects.create(username="nobody"))
    response = gateway.post(CHAT, json=body(), headers={"authorization": f"Bearer {key}"})
    assert refused(response) == (403, "no_account")
    assert closed_record().error_code == "no_account"


def test_a_paused_account_is_403_until_it_is_resumed(client: httpx.Client, account: Account, school: School) -> None:
    account_pause(account=account)
    assert refused(client.post(CHAT, json=body())) == (403, "account_paused")
    assert school.calls() == []
    account_resume(account=account)
    assert client.post(CHAT, json=body()).status_code == 200


def test_a_key_reaches_only_its_members_own_account(client: httpx.Client, school: School) -> None:
    school.add_user("Li.Si21")
    other = member_add(name="bob", xjtlu_username="Li.Si21")
    token_import(account=other, pasted=school.token("Li.Si21"))
    client.post(CHAT, json=body())
    assert school.calls("Li.Si21") == []
    assert closed_record().account_id != other.pk


def test_using_a_key_is_noted(client: httpx.Client) -> None:
    client.get("/v1/models")
    assert ApiKey.objects.get().last_used_at is not None


def test_a_host_that_is_not_allowed_is_refused(client: httpx.Client) -> None:
    assert refused(client.get("/v1/models", headers={"host": "evil.example"})) == (400, "host_not_allowed")


def test_health_needs_no_key(gateway: httpx.Client) -> None:
    assert gateway.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/embeddings", "/chat/nothing", "/messages"])
def test_an_unknown_route_is_404_in_openais_json(gateway: httpx.Client, path: str) -> None:
    assert refused(gateway.get(path)) == (404, "unknown_url")


@pytest.mark.parametrize(("method", "path"), [("GET", CHAT), ("DELETE", CHAT), ("POST", "/v1/models")])
def test_a_wrong_method_is_405_in_openais_json(gateway: httpx.Client, method: str, path: str) -> None:
    response = gateway.request(method, path)
    assert refused(response) == (405, "method_not_allowed")
    assert "allow" in response.headers
