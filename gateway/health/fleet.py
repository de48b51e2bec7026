"""Selectors over all accounts together: who is in which state, who needs a person, how busy the accounts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from accounts.models import Account, Invitation, Member
from gateway.models import Catalogue, UpstreamSession, UsageRecord, UsageStatus
from tokens.models import LoginAttempt
from tokens.states import State, with_state

SESSION_CAP = 50
"""So many sessions the school lets one user have open; those made in the browser count there too."""
LOGINS_WITHIN = timedelta(days=1)
BUSIEST = 12


@dataclass(frozen=True)
class Members:
    """How many members, each in one group: by their account's state, or without an account."""

    total: int
    by_state: dict[State, int]
    without_account: int
    not_joined: int


@dataclass(frozen=True)
class Busy:
    """Sessions of an account at the school; its requests with a session, and those that still wait for one."""

    account: Account
    sessions: int
    running: int
    waiting: int


def stated_accounts() -> list[Account]:
    """All accounts with their states, in one query."""
    return list(with_state(Account.objects.all()))


def members(accounts: Iterable[Account]) -> Members:
    """Sums over the accounts of `stated_accounts` and the members without one."""
    found = Counter(State(account.state) for account in accounts)  # type: ignore[attr-defined]  # annotated
    without = Member.objects.filter(account=None, is_active=True).count()
    invited = Invitation.objects.filter(used_at=None, expires_at__gt=timezone.now(), member__isnull=False).count()
    return Members(
        total=found.total() + without,
        by_state={state: found[state] for state in State if found[state]},
        without_account=without,
        not_joined=invited,
    )


def logins_by_outcome() -> Counter[str]:
    """Logins of the last day that have ended."""
    ended = LoginAttempt.objects.filter(ended_at__gt=timezone.now() - LOGINS_WITHIN).order_by()
    return Counter(dict(ended.values_list("outcome").annotate(number=Count("pk"))))


def logins_running() -> int:
    return LoginAttempt.objects.filter(ended_at=None).count()


def busiest(accounts: Iterable[Account], *, most: int = BUSIEST) -> list[Busy]:
    """Accounts with sessions at the school or requests on their way, the fullest first."""
    sessions, in_use, requests = _sessions(), _sessions_in_use(), _open_requests()
    rows = [
        Busy(
            account,
            sessions=sessions[account.pk],
            running=min(in_use[account.pk], requests[account.pk]),
            waiting=max(0, requests[account.pk] - in_use[account.pk]),
        )
        for account in accounts
        if sessions[account.pk] or requests[account.pk]
    ]
    return sorted(rows, key=lambda row: (-row.sessions, -row.waiting, -row.running, row.account.username))[:most]


def known_models() -> set[str]:
    """The ids of all models that any account was offered last."""
    return {model["id"] for offered in Catalogue.objects.values_list("offered", flat=True) for model in offered}


def _sessions() -> Counter[UUID]:
    rows = UpstreamSession.objects.order_by().values_list("account").annotate(number=Count("pk"))
    return Counter(dict(rows))


def _sessions_in_use() -> Counter[UUID]:
    """Each stands for a request that has got beyond waiting."""
    used = UpstreamSession.objects.filter(lease_until__gt=timezone.now(), delete_at=None, keep_alive=False)
    return Counter(dict(used.order_by().values_list("account").annotate(number=Count("pk"))))


def _open_requests() -> Counter[UUID]:
    """Requests of each account that have not ended, of all processes."""
    live = UsageRecord.objects.filter(status=UsageStatus.OPEN, lease_until__gt=timezone.now()).order_by()
    return Counter(dict(live.exclude(account=None).values_list("account").annotate(number=Count("pk"))))
