"""How often people may log an account in: each login may type the password, and the school locks who does so too often.

A live login also takes one of few browsers for minutes, which others wait for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import Account
from gateway.errors import LoginLimitReached
from tokens.models import LoginAttempt, Trigger

LOGINS_AN_HOUR = 6
HOUR = timedelta(hours=1)


def next_login_at(account: Account) -> datetime | None:
    """When people have logged the account in as often as they may: the moment from which they may again."""
    begun = LoginAttempt.objects.filter(account=account, trigger__in=(Trigger.PERSON, Trigger.ADDED))
    lately = begun.filter(started_at__gt=timezone.now() - HOUR).order_by("-started_at")
    counted = list(lately.values_list("started_at", flat=True)[:LOGINS_AN_HOUR])
    return counted[-1] + HOUR if len(counted) == LOGINS_AN_HOUR and counted[-1] else None


def refuse_too_many(account: Account) -> None:
    """Raises `LoginLimitReached`."""
    at = next_login_at(account)
    if at is not None:
        raise LoginLimitReached(f"This account was logged in {LOGINS_AN_HOUR} times within an hour.", at=at)
