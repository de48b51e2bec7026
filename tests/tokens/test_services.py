"""Upstream tokens: stored sealed, marked dead, pasted."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account
from accounts.services import member_add
from gateway.errors import InvalidRequest, TokenDead
from tokens import services
from tokens.models import UpstreamToken

pytestmark = pytest.mark.django_db


def jwt(**claims: Any) -> str:
    """A token whose signature nobody here can check."""
    parts = ({"alg": "HS256"}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"
    )


def in_seconds(seconds: float) -> int:
    return int(timezone.now().timestamp() + seconds)


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24")


def pasted(**changes: Any) -> dict[str, Any]:
    token = jwt(exp=in_seconds(3600), username="San.Zhang24")
    good = {
        "jm_token": token,
        "sdp_app_session": "",
        "cookies": {"a": "b"},
        "api_url": "https://jmapi.xjtlu.edu.cn/api",
    }
    return {**good, **changes}


def test_a_pasted_token_is_usable_and_sealed(account: Account) -> None:
    given = pasted()
    row = services.token_import(account=account, pasted=given)
    token = services.usable(account.pk)
    assert token is not None
    assert token.value.jm_token == given["jm_token"]
    assert given["jm_token"] not in str(UpstreamToken.objects.values().get())
    assert row.expires_at is not None


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"jm_token": ""}, "jm_token"),
        ({"jm_token": 5}, "jm_token"),
        ({"jm_token": "a\r\nx-evil: 1"}, "jm_token"),
        ({"cookies": ["a"]}, "cookies"),
        ({"cookies": {"a": 1}}, "cookies"),
        ({"api_url": "http://jmapi.xjtlu.edu.cn/api"}, "api_url"),
        ({"api_url": "https://evil.example/api"}, "api_url"),
        ({"api_url": "https://xjtlu.edu.cn.evil.example/api"}, "api_url"),
        ({"api_url": "https://evilxjtlu.edu.cn/api"}, "api_url"),
        ({"api_url": "ftp://x.xjtlu.edu.cn"}, "api_url"),
        ({"api_url": None}, "api_url"),
    ],
)
def test_a_bad_token_is_refused_naming_the_field(account: Account, change: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        services.token_import(account=account, pasted=pasted(**change))
    assert error.value.param == param
    assert not UpstreamToken.objects.exists()


@pytest.mark.parametrize("given", [[], "x", None])
def test_what_is_no_object_is_refused(account: Account, given: object) -> None:
    with pytest.raises(InvalidRequest):
        services.token_import(account=account, pasted=given)


def test_the_host_of_the_portal_and_configured_hosts_are_taken(account: Account, settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "http://127.0.0.1:4000/"
    settings.XIPU_TRUSTED_HOSTS = ["school.example"]
    for url in ("http://127.0.0.1:4000/jmapi/api", "https://school.example/api"):
        services.token_import(account=account, pasted=pasted(api_url=url))


def test_another_users_token_is_refused(account: Account) -> None:
    with pytest.raises(InvalidRequest) as error:
        services.token_import(account=account, pasted=pasted(jm_token=jwt(username="Si.Li22")))
    assert error.value.code == "foreign_token"


def test_an_expired_token_is_refused(account: Account) -> None:
    with pytest.raises(InvalidRequest, match="expired"):
        services.token_import(account=account, pasted=pasted(jm_token=jwt(exp=in_seconds(-5))))


def test_a_token_that_is_no_jwt_is_used_until_it_is_refused(account: Account) -> None:
    row = services.token_import(account=account, pasted=pasted(jm_token="opaque"))
    assert row.expires_at is None
    assert services.usable(account.pk) is not None


def test_the_refresh_comes_before_the_expiry_inside_its_margin(account: Account) -> None:
    row = services.token_import(account=account, pasted=pasted())
    assert row.expires_at is not None
    assert row.refresh_at is not None
    assert timedelta(0) < row.expires_at - row.refresh_at <= timedelta(minutes=18)


def test_a_token_past_its_expiry_is_not_usable(account: Account) -> None:
    services.token_import(account=account, pasted=pasted())
    UpstreamToken.objects.update(expires_at=timezone.now())
    assert services.usable(account.pk) is None
    with pytest.raises(TokenDead):
        services.usable_or_raise(account.pk)


def test_a_refused_token_is_marked_dead(account: Account) -> None:
    row = services.token_import(account=account, pasted=pasted())
    services.mark_dead(account.pk, row.version)
    assert services.usable(account.pk) is None


def test_a_late_refusal_of_an_older_token_leaves_the_newer_one(account: Account) -> None:
    services.token_import(account=account, pasted=pasted())
    services.mark_dead(account.pk, uuid.uuid4())
    assert services.usable(account.pk) is not None


def test_a_configured_api_address_overrides_the_captured_one(account: Account, settings: Settings) -> None:
    services.token_import(account=account, pasted=pasted())
    settings.XIPU_API_URL = "https://other.xjtlu.edu.cn/api"
    token = services.usable(account.pk)
    assert token is not None
    assert token.value.api_url == "https://other.xjtlu.edu.cn/api"
