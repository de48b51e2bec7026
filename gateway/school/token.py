"""What one login captured: all that a call to the school needs to be taken for the member's own page."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_USER_CLAIMS = ("username", "preferred_username", "user_name", "userName", "account")
_USERNAME = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)+\d*")
"""`San.Zhang24` (protocol page). A subject that is a number, a UUID or a word such as `login` names no user."""


@dataclass(frozen=True)
class SchoolToken:
    """An upstream token. `api_url` is the base to which `/chat/config` is appended, `origin` that of the portal.

    Raises ValueError, which names the field and never shows it, for what cannot be sent: a control character
    (it could smuggle a header in), or an `api_url` that is no http(s) URL. Its repr shows no secret.
    """

    jm_token: str = field(repr=False)
    sdp_app_session: str = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    api_url: str
    user_agent: str
    origin: str

    def __post_init__(self) -> None:
        for name in ("jm_token", "sdp_app_session", "api_url", "user_agent", "origin"):
            _refuse_control_characters(name, getattr(self, name))
        for cookie, value in self.cookies.items():
            _refuse_control_characters("cookies", cookie + value)
        if not _is_http_url(self.api_url):
            raise ValueError("api_url is not an http(s) URL")

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        return tuple(filter(None, (self.jm_token, self.sdp_app_session, *self.cookies.values())))


def token_expiry(jm_token: str) -> datetime | None:
    """When the token ends by its `exp` (UTC), from the JWT as it is: its signature cannot be checked here.

    None when it is not a JWT or names no usable time.
    """
    expiry = _claims(jm_token).get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    try:
        return datetime.fromtimestamp(expiry, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def token_user(jm_token: str) -> str | None:
    """The university username that the JWT names, unverified; None when it is not a JWT or names none."""
    claims = _claims(jm_token)
    for name in _USER_CLAIMS:
        value = claims.get(name)
        if isinstance(value, str) and value:
            return value
    subject = claims.get("sub")
    return subject if isinstance(subject, str) and _USERNAME.fullmatch(subject) else None


def _claims(jm_token: str) -> dict[str, Any]:
    parts = jm_token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _refuse_control_characters(name: str, value: str) -> None:
    if _CONTROL.search(value):
        raise ValueError(f"{name} holds a control character")


def _is_http_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)
