"""Whose request is it: the key of the `Authorization` header, and what this key may do."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from accounts.keys import key_find, key_note_use
from accounts.models import Account, ApiKey
from gateway.allowances import MINUTE_SECONDS, Standing
from gateway.callers import Bounds, Caller, Preferences
from gateway.errors import (
    MAX_RETRY_AFTER_SECONDS,
    AccountBlocked,
    AddressNotAllowed,
    InvalidApiKey,
    KeyLimitReached,
    ModelNotFound,
)


def key_of(headers: Mapping[str, str]) -> str:
    """The text of the request's key. Raises `InvalidApiKey`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise InvalidApiKey("No API key: send the header 'Authorization: Bearer xg-…' with your personal key.")
    return key.strip()


def caller_of(text: str, address: str | None = None) -> Caller:
    """The caller of a live key, used from this address. Raises `InvalidApiKey`, never echoing the key."""
    key = key_find(text)
    if key is None or not key.member.is_active:
        raise InvalidApiKey("This API key is not known here. Copy it again, or create a new one in the dashboard.")
    if key.revoked_at is not None:
        raise InvalidApiKey("This API key was revoked. Use another one, or create a new one in the dashboard.")
    if not key.is_live:
        raise InvalidApiKey("This API key has expired. Create a new one in the dashboard.")
    bounds = _bounds(key)
    if bounds.allow_address(address):
        key_note_use(key=key, address=address)
    return Caller(
        member_id=key.member_id,
        key_id=key.pk,
        account=getattr(key.member, "account", None),
        preferences=Preferences(web_search=key.web_search, fold_reasoning=key.fold_reasoning),
        bounds=bounds,
    )


def check_address(caller: Caller, address: str | None) -> None:
    """Raises `AddressNotAllowed` where the key is not for this address."""
    if not caller.bounds.allow_address(address):
        raise AddressNotAllowed(
            f"This API key is not for the address {address or 'unknown'}: its networks are "
            f"{', '.join(caller.bounds.networks)}. Its owner can change them in the dashboard."
        )


def check_model(caller: Caller, model_id: str) -> None:
    """Raises `ModelNotFound` where the key is not for this model."""
    if not caller.bounds.allow_model(model_id):
        raise ModelNotFound(
            f"This API key is not for the model '{model_id[:100]}'. GET /v1/models lists those that it may use; its "
            "owner can change them in the dashboard."
        )


def check_standing(standing: Standing | None) -> None:
    """Raises `KeyLimitReached` where the key has made as many requests as it may."""
    if standing is None or standing.passed:
        return
    window = "minute" if standing.window_seconds == MINUTE_SECONDS else "day (UTC)"
    raise KeyLimitReached(
        f"This API key may make {standing.limit:,} requests a {window}, and has made them. "
        f"The next {window} begins in {standing.headers()['x-ratelimit-reset-requests']}.",
        retry_after=standing.reset_seconds,
        # A client that comes again as soon as it may would only be refused again.
        permanent=standing.reset_seconds > MAX_RETRY_AFTER_SECONDS,
    )


def account_of(caller: Caller) -> UUID:
    """The account that the caller's requests go to. Raises `AccountBlocked` where none may be used."""
    return usable_account(caller.account)


def usable_account(account: Account | None) -> UUID:
    """Raises `AccountBlocked`."""
    if account is None:
        raise AccountBlocked(
            "No XJTLU account is set up for you. Ask the gateway's admin to add it.", code="no_account"
        )
    if account.paused_at is not None:
        raise AccountBlocked(
            "Your XJTLU account is paused here. Ask the gateway's admin to resume it.", code="account_paused"
        )
    return account.pk


def _bounds(key: ApiKey) -> Bounds:
    return Bounds(
        models=tuple(key.allowed_models),
        networks=tuple(key.allowed_networks),
        per_minute=key.requests_per_minute,
        per_day=key.requests_per_day,
    )
