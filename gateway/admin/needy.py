"""The accounts that stay as they are, or soon stop, until a person acts: why, and what to press."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.state import state_notes, works_until
from accounts.models import Account
from gateway.formats import Tone
from gateway.health.fleet import Brief
from tokens.states import TONES, State, needs_person, with_state
from tokens.wording import message_in_words

if TYPE_CHECKING:
    from tokens.states import StatedAccount


@dataclass(frozen=True)
class Mend:
    """An admin action that may mend an account, and the permission that it takes."""

    action: str
    icon: str
    label: str | Promise
    permission: str


LOG_IN = Mend("log_in_now", "login", gettext_lazy("Log in now"), "accounts.change_account")
INVITE = Mend("invite", "mail", gettext_lazy("Make an invitation link"), "accounts.add_invitation")
MENDS: dict[State, Mend | None] = {
    State.NEEDS_YOU: LOG_IN,
    State.WRONG_PASSWORD: None,
    State.FAILING: LOG_IN,
    State.LOGGED_OUT: INVITE,
}
"""By what is wrong, the gravest first; none: a password has to be typed."""


@dataclass(frozen=True)
class Needy:
    """An account, what is wrong with it, why, and what to press. Without `mend` the account's own page mends it."""

    account: Account
    trouble: State
    tone: Tone
    reasons: list[str]
    mend: Mend | None

    @property
    def page(self) -> str:
        return reverse("admin:accounts_account_change", args=[self.account.pk])

    @property
    def act(self) -> str:
        return reverse("admin:accounts_account_act", args=[self.account.pk, self.mend.action]) if self.mend else ""

    @property
    def needs_password(self) -> bool:
        return self.trouble in (State.WRONG_PASSWORD, State.LOGGED_OUT)

    @property
    def needs_member(self) -> bool:
        """Whether the member alone can do it, in a live login."""
        return self.trouble is State.NEEDS_YOU


def in_need(accounts: Iterable[Brief], *, invited: set[int]) -> list[Brief]:
    """Those that need a person, the gravest first. Whoever was just `invited` is expected to come by themselves."""
    needing = [account for account in accounts if _needs_person(account, invited)]
    return sorted(needing, key=_gravity)


def shown(accounts: Iterable[Brief], *, user: Any) -> list[Needy]:
    """With all that the page says of them, in one query; actions as far as the user may do them."""
    keys = [account.account_id for account in accounts]
    stated = with_state(Account.objects.order_by()).in_bulk(keys)
    return [_needy(stated[key], user) for key in keys if key in stated]


def _needs_person(account: Brief, invited: set[int]) -> bool:
    if account.state is State.FAILING:
        return True
    needing = needs_person(account.state, account.block, can_log_in=account.can_log_in)
    # Whoever has only to accept an invitation comes by themselves.
    return needing and (bool(account.block) or account.member_id not in invited)


def _gravity(account: Brief) -> tuple[bool, int]:
    works = account.state is State.LOGGED_IN
    return works, list(MENDS).index(_trouble(account.state, account.block))


def _trouble(state: State, block: str) -> State:
    """What is wrong, or will be once the token of an account that works has run out."""
    return State(block or State.LOGGED_OUT) if state is State.LOGGED_IN else state


def _needy(account: StatedAccount, user: Any) -> Needy:
    state = State(account.state)
    trouble = _trouble(state, account.login_block)
    if state is State.LOGGED_IN:
        tone, why = TONES[State.NEEDS_YOU], message_in_words(account.login_block_reason)
        reasons = [works_until(account), why if account.login_block else _("No password is stored.")]
    else:
        tone, reasons = TONES[state], state_notes(account)
    mend = MENDS.get(trouble)
    allowed = mend if mend and user.has_perm(mend.permission) else None
    return Needy(account, trouble, tone, [reason for reason in reasons if reason], allowed)
