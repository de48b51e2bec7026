"""Whose request it is, and what their key asks for."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Account


@dataclass(frozen=True)
class Preferences:
    """What a key asks for where a request does not say."""

    web_search: bool = False
    fold_reasoning: bool = False


@dataclass(frozen=True)
class Caller:
    """The member and the key of a request; the account it goes to, where there is one."""

    member_id: int
    key_id: int
    account: Account | None
    preferences: Preferences = Preferences()
