"""Upstream tokens: stored sealed, read for a call, marked dead, pasted by a person."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import crypto
from accounts.models import Account
from gateway.errors import InvalidRequest, TokenDead
from gateway.school.token import SchoolToken, token_expiry, token_user
from tokens import api_base
from tokens.models import UpstreamToken

DESKTOP_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
MAX_MARGIN = timedelta(minutes=30)
"""A refresh starts at a random moment in the last part of a token's life: at most this, or 30 % of it."""
MAX_CHARACTERS = {"user_agent": 300}


@dataclass(frozen=True)
class Usable:
    """A token for calls, and which capture it came from."""

    value: SchoolToken
    version: UUID


def usable(account_id: UUID) -> Usable | None:
    """The account's token, unless it is missing, dead or past its expiry."""
    row = UpstreamToken.objects.filter(account_id=account_id).first()
    if row is None or not row.is_usable:
        return None
    held = json.loads(crypto.unseal(row, "secrets"))
    token = SchoolToken(
        jm_token=held["jm_token"],
        sdp_app_session=held["sdp_app_session"],
        cookies=held["cookies"],
        api_url=settings.XIPU_API_URL or row.api_url,
        user_agent=row.user_agent,
        origin=row.origin,
    )
    return Usable(token, row.version)


def usable_or_raise(account_id: UUID) -> Usable:
    """As `usable`, for work in the background that does not wait for a login. Raises `TokenDead`."""
    token = usable(account_id)
    if token is None:
        raise TokenDead("The account is not logged in at the school.")
    return token


@transaction.atomic
def token_store(*, account: Account, token: SchoolToken) -> UpstreamToken:
    """Replace the account's token. Raises `InvalidRequest` where it is another user's or has expired."""
    expires_at = token_expiry(token.jm_token)
    user = token_user(token.jm_token)
    if user is not None and user.casefold() != account.username.casefold():
        raise InvalidRequest(f"This token belongs to another XJTLU user than {account.username}.", code="foreign_token")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidRequest("This token has expired. Log in at the school again and copy a fresh one.")
    row = UpstreamToken(
        account=account,
        version=uuid.uuid4(),
        api_url=token.api_url,
        origin=token.origin,
        user_agent=token.user_agent,
        captured_at=timezone.now(),
        expires_at=expires_at,
        refresh_at=_refresh_time(expires_at),
    )
    held = {
        "jm_token": token.jm_token,
        "sdp_app_session": token.sdp_app_session,
        "cookies": dict(token.cookies),
    }
    row.secrets = crypto.seal(row, "secrets", json.dumps(held))
    UpstreamToken.objects.filter(pk=account.pk).delete()
    row.save(force_insert=True)
    return row


def mark_dead(account_id: UUID, version: UUID) -> None:
    """The school refused this capture. A newer one, stored meanwhile, stays."""
    UpstreamToken.objects.filter(account_id=account_id, version=version, dead_at=None).update(dead_at=timezone.now())


def token_import(*, account: Account, pasted: Any) -> UpstreamToken:
    """A token from the member's own browser: `{"jm_token", "sdp_app_session", "cookies", "api_url"}`.

    Raises `InvalidRequest` naming what is wrong: never the value.
    """
    if not isinstance(pasted, Mapping):
        raise InvalidRequest(
            'Paste a JSON object: {"jm_token": …, "sdp_app_session": "", "cookies": {…}, "api_url": …}.'
        )
    cookies = pasted.get("cookies") or {}
    if not isinstance(cookies, Mapping) or not all(isinstance(value, str) for value in cookies.values()):
        raise InvalidRequest('"cookies" must be an object of names to texts.', param="cookies")
    for name, value in cookies.items():
        _refuse_what_no_header_holds("cookies", f"{name}{value}")
    api_url = _text(pasted, "api_url").rstrip("/")
    _check_api_base(api_url)
    portal = urlsplit(settings.XIPU_PORTAL_URL)
    token = SchoolToken(
        jm_token=_text(pasted, "jm_token"),
        sdp_app_session=_text(pasted, "sdp_app_session", may_be_empty=True),
        cookies=dict(cookies),
        api_url=api_url,
        user_agent=_text(pasted, "user_agent", may_be_empty=True) or DESKTOP_USER_AGENT,
        origin=f"{portal.scheme}://{portal.netloc}",
    )
    return token_store(account=account, token=token)


def token_try(*, account: Account) -> None:
    """Have the workers make one harmless call, the list of models, with a token that a person brought."""
    account_id = str(account.pk)
    transaction.on_commit(
        lambda: current_app.send_task("gateway.refresh_catalogue", args=[account_id], expires=60), robust=True
    )


def _text(pasted: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str:
    value = pasted.get(name) or ""
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise InvalidRequest(f'"{name}" must be a text.', param=name)
    _refuse_what_no_header_holds(name, value.strip())
    return value.strip()[: MAX_CHARACTERS.get(name)]


def _refuse_what_no_header_holds(name: str, value: str) -> None:
    """Each of them is sent in a header: one with a line break could smuggle another in."""
    if not value.isascii() or not value.isprintable():
        raise InvalidRequest(f'"{name}" holds line breaks or control characters.', param=name)


def _check_api_base(api_url: str) -> None:
    """A token must not be sent to a host that is not the school's."""
    if not api_base.is_schools(api_url):
        raise InvalidRequest(
            f'"api_url" must be a plain https address, without a user name, "?" or "#", under '
            f"{settings.XIPU_SCHOOL_DOMAIN}, on the host of XIPU_PORTAL_URL or XIPU_API_URL, or on one of "
            "XIPU_TRUSTED_HOSTS.",
            param="api_url",
        )


def _refresh_time(expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    now = timezone.now()
    margin = min(MAX_MARGIN, (expires_at - now) * 0.3)
    return max(now, expires_at - margin * random.uniform(0.3, 1.0))  # noqa: S311  spreads refreshes, guards nothing
