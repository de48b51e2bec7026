"""Selectors over all accounts together: who is in which state, who needs a person, how busy the accounts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import BooleanField, Count, ExpressionWrapper, Q
from django.utils import timezone

from accounts.models import Account, LoginBlock, Member
from gateway.models import Catalogue, Lane, UpstreamSession, UsageRecord, UsageStatus
from tokens.models import LoginAttempt, Outcome
from tokens.states import State, with_state_alone

LOGIN_HOURS = 24
AN_HOUR = timedelta(hours=1)
OTHERS_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True)
class Brief:
    """How one account stands, as far as sums over all of them ask."""

    account_id: UUID
    member_id: int
    state: State
    block: LoginBlock
    can_log_in: bool


@dataclass(frozen=True)
class Members:
    """How many members, each in one group: by their account's state, or without an account. Staff need none."""

    total: int
    by_state: dict[State, int]
    without_account: int


@dataclass(frozen=True)
class Logins:
    """Logins that have ended, by outcome and by the hour in which they were asked for; the last hour is running."""

    hours: list[datetime]
    numbers: dict[Outcome, list[int]]


@dataclass(frozen=True)
class Busy:
    """An account's sessions at the school, and its requests: with a session, and those that still wait for one.

    `others`: sessions that the gateway did not make, as the school said at `others_seen_at`; 0 where that is not known.
    """

    account_id: UUID
    username: str
    sessions: int
    running: int
    waiting: int
    others: int = 0
    others_seen_at: datetime | None = None

    @property
    def at_school(self) -> int:
        return self.sessions + self.others


def briefs() -> list[Brief]:
    """All accounts by their usernames, in one query."""
    able = ExpressionWrapper(Account.CAN_LOG_IN, BooleanField())
    rows = with_state_alone(Account.objects.annotate(able=able))
    return [
        Brief(account_id, member_id, State(state), LoginBlock(block), bool(may))
        for account_id, member_id, state, block, may in rows.values_list(
            "pk", "member_id", "state", "login_block", "able"
        )
    ]


def members(accounts: Iterable[Brief]) -> Members:
    """Sums over all accounts and the members without one."""
    found = Counter(account.state for account in accounts)
    without = Member.objects.filter(account=None, is_active=True, is_staff=False).count()
    return Members(
        total=found.total() + without,
        by_state={state: found[state] for state in State if found[state]},
        without_account=without,
    )


def logins() -> Logins:
    """Of the last 24 hours, the running one included."""
    first = timezone.now().replace(minute=0, second=0, microsecond=0) - (LOGIN_HOURS - 1) * AN_HOUR
    # What was asked for since then has ended since then: for that there is an index.
    ended = LoginAttempt.objects.filter(created_at__gte=first, ended_at__gte=first).order_by()
    numbers: dict[Outcome, list[int]] = {}
    for asked_at, outcome in ended.values_list("created_at", "outcome"):
        hours = numbers.setdefault(Outcome(outcome), [0] * LOGIN_HOURS)
        hours[min((asked_at - first) // AN_HOUR, LOGIN_HOURS - 1)] += 1
    return Logins([first + hour * AN_HOUR for hour in range(LOGIN_HOURS)], numbers)


def logins_running() -> int:
    return LoginAttempt.objects.filter(ended_at=None).count()


def busiest() -> list[Busy]:
    """Accounts with sessions at the school or requests on their way: those with waiting requests first.

    Told from rows, so it is true of all processes. A request waits until its session is there: for other calls, for
    the interval or for a login. Its prompt comes next, so that at most one of an account waits beyond that, and counts
    as running. Calls of the workers (cleanup, keep-alive, catalogue) are left out: they stand behind the members'.
    """
    sessions, requests = _sessions(), _open_requests()
    names = dict(Account.objects.filter(pk__in={*sessions, *requests}).values_list("pk", "username"))
    others = _others(names)
    rows = [
        Busy(key, name, *_shares(sessions.get(key, (0, 0)), requests[key]), *others.get(key, (0, None)))
        for key, name in names.items()
    ]
    return sorted(rows, key=lambda row: (-row.waiting, -row.at_school, -row.running, row.username))


def _shares(sessions: tuple[int, int], requests: int) -> tuple[int, int, int]:
    """Sessions, running requests, waiting requests."""
    at_school, in_use = sessions
    return at_school, min(in_use, requests), max(0, requests - in_use)


def known_models() -> set[str]:
    """The ids of all models that any account was offered last."""
    return {model["id"] for offered in Catalogue.objects.values_list("offered", flat=True) for model in offered}


def _sessions() -> dict[UUID, tuple[int, int]]:
    """Of each account: sessions that are at the school, and those of them that serve a request."""
    used = Q(lease_until__gt=timezone.now(), delete_at=None, keep_alive=False)
    made = UpstreamSession.objects.filter(school_id__isnull=False).order_by()
    counted = made.values_list("account").annotate(number=Count("pk"), in_use=Count("pk", filter=used))
    return {account_id: (number, in_use) for account_id, number, in_use in counted}


def _others(accounts: Iterable[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """Sessions at the school that the gateway did not make, and when they were seen: not longer ago than a day."""
    since = timezone.now() - OTHERS_REMEMBERED
    seen = Lane.objects.filter(account_id__in=accounts, others_seen_at__gt=round(since.timestamp() * 1000))
    rows = seen.values_list("account_id", "other_sessions", "others_seen_at")
    return {account_id: (number, datetime.fromtimestamp(at / 1000, UTC)) for account_id, number, at in rows}


def _open_requests() -> Counter[UUID]:
    """Requests of each account that have not ended, of all processes."""
    live = UsageRecord.objects.filter(status=UsageStatus.OPEN, lease_until__gt=timezone.now()).order_by()
    return Counter(dict(live.exclude(account=None).values_list("account").annotate(number=Count("pk"))))
