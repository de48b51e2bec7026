"""In what state each account is: one definition for lists, filters and pages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, LoginBlock
from gateway.formats import Tone
from tokens.models import LoginAttempt, Outcome, UpstreamToken

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class State(models.TextChoices):
    """What the account can do now, the strongest first: an account with a usable token is logged in, whatever comes."""

    LEAVING = "leaving", _("leaving")
    PAUSED = "paused", _("paused")
    LOGGED_IN = "logged_in", _("logged in")
    LOGGING_IN = "logging_in", _("logging in")
    WRONG_PASSWORD = "wrong_password", _("wrong password")
    NEEDS_YOU = "needs_you", _("needs you")
    FAILING = "failing", _("failing")
    LOGGED_OUT = "logged_out", _("logged out")


TONES: dict[State, Tone] = {
    State.LEAVING: "quiet",
    State.PAUSED: "quiet",
    State.LOGGED_IN: "good",
    State.LOGGING_IN: "busy",
    State.WRONG_PASSWORD: "bad",
    State.NEEDS_YOU: "warn",
    State.FAILING: "bad",
    State.LOGGED_OUT: "quiet",
}
OUTCOME_TONES: dict[Outcome, Tone] = {
    Outcome.CAPTURED: "good",
    Outcome.WRONG_PASSWORD: "bad",
    Outcome.NEEDS_YOU: "warn",
    Outcome.FAILED: "bad",
    Outcome.LOST: "warn",
}


class Annotations(TypedDict):
    state: str
    last_outcome: str | None
    last_message: str | None
    last_ended_at: datetime | None


if TYPE_CHECKING:
    StatedAccount = WithAnnotations[Account, Annotations]


def with_state_alone(accounts: QuerySet[Account]) -> QuerySet[Any]:
    """The accounts with `state`, a value of `State`: for sums over all of them."""
    return accounts.annotate(state=_state())


def with_state(accounts: QuerySet[Account]) -> QuerySet[StatedAccount]:
    """The accounts with member, token, `state` and their last ended login, in one query."""
    last = LoginAttempt.objects.filter(account=OuterRef("pk"), ended_at__isnull=False)
    return accounts.select_related("member", "token").annotate(
        state=_state(),
        last_outcome=Subquery(last.values("outcome")[:1]),
        last_message=Subquery(last.values("message")[:1]),
        last_ended_at=Subquery(last.values("ended_at")[:1]),
    )


def needs_person(state: State, block: str, *, can_log_in: bool) -> bool:
    """Whether an account stays as it is, or soon stops working, until somebody acts."""
    if state is State.LOGGED_IN:
        return bool(block) or not can_log_in
    if state is State.LOGGED_OUT:
        return not can_log_in
    return state in (State.WRONG_PASSWORD, State.NEEDS_YOU)


def next_refresh(account: Account) -> datetime | None:
    """When the account's token is renewed by itself; None where that will not happen."""
    token = token_of(account)
    is_kept = account.paused_at or account.member.leaving_at or account.login_block or not account.can_log_in
    return None if token is None or is_kept else token.refresh_at


def token_of(account: Account) -> UpstreamToken | None:
    token: UpstreamToken | None = getattr(account, "token", None)
    return token


def _state() -> Case:
    not_expired = Q(token__expires_at=None) | Q(token__expires_at__gt=timezone.now())
    logging_in = Exists(LoginAttempt.objects.filter(account=OuterRef("pk"), ended_at=None))
    return Case(
        When(member__leaving_at__isnull=False, then=Value(State.LEAVING)),
        When(paused_at__isnull=False, then=Value(State.PAUSED)),
        When(not_expired, token__isnull=False, token__dead_at=None, then=Value(State.LOGGED_IN)),
        When(logging_in, then=Value(State.LOGGING_IN)),
        When(login_block=LoginBlock.WRONG_PASSWORD, then=Value(State.WRONG_PASSWORD)),
        When(login_block=LoginBlock.NEEDS_YOU, then=Value(State.NEEDS_YOU)),
        When(Q(early_failures__gt=0) | Q(password_tries__gt=0), then=Value(State.FAILING)),
        default=Value(State.LOGGED_OUT),
        output_field=models.CharField(),
    )
