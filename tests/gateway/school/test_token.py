"""What is read from a token without its key, and what it never shows."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.school.token import token_expiry, token_user
from tests.gateway.school.scripted import TOKEN


def jwt(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


def test_the_expiry_is_read() -> None:
    assert token_expiry(jwt({"exp": 1_800_000_000})) == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("claims", [{}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": 1e30}, [], "text"])
def test_a_token_without_a_usable_time_has_no_expiry(claims: Any) -> None:
    assert token_expiry(jwt(claims)) is None


@pytest.mark.parametrize("text", ["", "opaque", "a.b", "a.b.c", "a.!!!.c", "a.é.c", "....", "a.bm90IGpzb24.c"])
def test_what_is_no_jwt_tells_nothing(text: str) -> None:
    assert token_expiry(text) is None
    assert token_user(text) is None


@pytest.mark.parametrize("claim", ["username", "preferred_username", "user_name", "userName", "account", "sub"])
def test_the_user_is_read(claim: str) -> None:
    assert token_user(jwt({claim: "San.Zhang24", "exp": 1})) == "San.Zhang24"


@pytest.mark.parametrize("subject", ["12345", "6f1c9e2a-2b3c-4d5e-8f90-a1b2c3d4e5f6", "", 5, None, "auth0|abc"])
def test_a_subject_that_is_no_username_names_no_user(subject: Any) -> None:
    assert token_user(jwt({"sub": subject})) is None


def test_the_repr_shows_no_secret() -> None:
    shown = repr(TOKEN)
    assert not any(secret in shown for secret in TOKEN.secrets)
    assert len(TOKEN.secrets) == 4


@pytest.mark.parametrize("field", ["jm_token", "sdp_app_session", "user_agent", "origin"])
def test_a_control_character_is_refused_without_showing_it(field: str) -> None:
    changes: dict[str, Any] = {field: "x\r\nevil: y"}
    with pytest.raises(ValueError, match=f"{field} holds a control character"):
        replace(TOKEN, **changes)


@pytest.mark.parametrize("cookies", [{"a\n": "b"}, {"a": "b\n"}])
def test_a_control_character_in_a_cookie_is_refused(cookies: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cookies holds a control character"):
        replace(TOKEN, cookies=cookies)


@pytest.mark.parametrize("url", ["", "jmapi/api", "ftp://host/api", "http://", "http://host:port"])
def test_an_api_url_that_cannot_be_called_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="api_url"):
        replace(TOKEN, api_url=url)
