"""How the school is doing, told from what happened lately: nothing is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from gateway.errors import SchoolError, SchoolMalformed, SchoolNoAnswer, SchoolUnreachable
from gateway.models import Catalogue, UsageRecord
from tokens.models import LoginAttempt, Outcome

RECENT = timedelta(days=1)
LOOKED_AT = 100
"""Requests that are looked at, so that a busy day costs no more than a quiet one."""

FAILURES = {error.code for error in (SchoolError, SchoolUnreachable, SchoolNoAnswer, SchoolMalformed)}
"""Codes that speak of the school itself; a dead token or a cut answer speaks of one account or prompt."""

ANSWERED = {Outcome.CAPTURED, Outcome.WRONG_PASSWORD, Outcome.NEEDS_YOU}
"""Ends of a login that the sign-on itself has said: whoever refuses or asks is there."""


@dataclass(frozen=True)
class Outlook:
    """The last good answer of the last day, and the failures in a row since then (or since the day began)."""

    good_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0


def outlook() -> Outlook:
    """From the requests, logins and catalogues of the last day, newest first."""
    failing_since, failures = None, 0
    for at, is_good in sorted(_requests() + _logins() + _catalogues(), reverse=True):
        if is_good:
            return Outlook(at, failing_since, failures)
        failing_since, failures = at, failures + 1
    return Outlook(None, failing_since, failures)


Evidence = list[tuple[datetime, bool]]
"""When, and whether the school was as it should be."""


def _requests() -> Evidence:
    recent = UsageRecord.objects.filter(created_at__gt=timezone.now() - RECENT).order_by("-created_at")
    # Lists of models and the like say nothing, however many they are.
    telling = recent.filter(Q(first_token_ms__isnull=False) | Q(error_code__in=FAILURES))
    return [(at, code not in FAILURES) for at, code in telling.values_list("created_at", "error_code")[:LOOKED_AT]]


def _catalogues() -> Evidence:
    """What the gateway asks by itself: also at night, when nobody chats."""
    fetched = Catalogue.objects.filter(fetched_at__gt=timezone.now() - RECENT).order_by("-fetched_at")
    return [(at, True) for at in fetched.values_list("fetched_at", flat=True)[:1]]


def _logins() -> Evidence:
    ended = LoginAttempt.objects.filter(ended_at__gt=timezone.now() - RECENT, outcome__in=ANSWERED | {Outcome.FAILED})
    # A live login fails where its member leaves it.
    telling = ended.exclude(outcome=Outcome.FAILED, live=True).order_by("-ended_at")
    rows = telling.values_list("ended_at", "outcome")[:LOOKED_AT]
    return [(at, outcome in ANSWERED) for at, outcome in rows if at is not None]
