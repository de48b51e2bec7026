"""Whose request is it: the key of the `Authorization` header."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from accounts.keys import key_find, key_note_use
from gateway.callers import Caller, Preferences
from gateway.errors import AccountBlocked, InvalidApiKey


def key_of(headers: Mapping[str, str]) -> str:
    """The text of the request's key. Raises `InvalidApiKey`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise InvalidApiKey("No API key: send the header 'Authorization: Bearer xg-…' with your personal key.")
    return key.strip()


def caller_of(text: str) -> Caller:
    """The caller of a live key. Raises `InvalidApiKey`, never echoing the key."""
    key = key_find(text)
    if key is None or not key.member.is_active:
        raise InvalidApiKey("This API key is not known here. Copy it again, or ask the gateway's admin for a new one.")
    if key.revoked_at is not None:
        raise InvalidApiKey("This API key was revoked. Use another one, or ask the gateway's admin for a new one.")
    if not key.is_live:
        raise InvalidApiKey("This API key has expired. Ask the gateway's admin for a new one.")
    key_note_use(key=key)
    preferences = Preferences(web_search=key.web_search, fold_reasoning=key.fold_reasoning)
    return Caller(
        member_id=key.member_id, key_id=key.pk, account=getattr(key.member, "account", None), preferences=preferences
    )


def account_of(caller: Caller) -> UUID:
    """The account that the caller's requests go to. Raises `AccountBlocked` where none may be used."""
    account = caller.account
    if account is None:
        raise AccountBlocked(
            "No XJTLU account is set up for you. Ask the gateway's admin to add it.", code="no_account"
        )
    if account.paused_at is not None:
        raise AccountBlocked(
            "Your XJTLU account is paused here. Ask the gateway's admin to resume it.", code="account_paused"
        )
    return account.pk
