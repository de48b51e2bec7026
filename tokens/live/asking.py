"""Live logins: asked for by the member, run by a worker of their own, shown to that member alone."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import crypto
from accounts.models import Account
from gateway.errors import AccountUnavailable
from tokens.limits import refuse_too_many
from tokens.logins import login_send, refuse_if_paused
from tokens.models import LoginAttempt, Trigger

DIAL_BYTES = 32
LONGEST_WAIT = timedelta(minutes=15)
"""For a browser, while the page is open: as long as three others may take together."""

PAGE_LEASE = timedelta(seconds=30)
"""A live login that waits for a browser is given up when its page has not been open for so long."""

GONE_LEASE = timedelta(seconds=5)
"""Longer than a live login's worker goes without renewing its lease."""


def live_ask(*, account: Account, web_url: str) -> LoginAttempt:
    """The account's live login: the one that is open, else a new one.

    `web_url` (ws://…) is where the worker reaches this web process. What blocks logins stays until this one brings a
    token: a person who leaves has mended nothing. Raises `AccountBlocked`; `AccountUnavailable` while another runs;
    `LoginLimitReached`.
    """
    refuse_if_paused(account)
    opened = LoginAttempt.objects.filter(account=account, ended_at=None).first()
    if opened is not None and opened.live:
        return opened
    refuse_too_many(account)
    attempt = opened or LoginAttempt(account=account)
    values = _live_values(attempt, web_url)
    if not (_take_over(opened, values) if opened else _create(attempt, values)):
        raise AccountUnavailable(
            "A login of this account is running. Wait for its end, then open the live login.", code="login_running"
        )
    # Robust: `logins_resend` sends what a broker that is away did not take.
    transaction.on_commit(lambda: login_send(attempt_id=attempt.pk), robust=True)
    return attempt


def live_keep(*, attempt_id: UUID) -> None:
    """The page of a login that waits for a browser is still open."""
    now = timezone.now()
    waiting = LoginAttempt.objects.filter(pk=attempt_id, live=True, started_at=None, ended_at=None)
    waiting.filter(created_at__gt=now - LONGEST_WAIT).update(lease_until=now + PAGE_LEASE)


def live_line() -> QuerySet[LoginAttempt]:
    """The live logins that wait for a browser with their page open, in the order in which they get one."""
    waiting = LoginAttempt.objects.filter(live=True, started_at=None, ended_at=None, lease_until__gt=timezone.now())
    return waiting.order_by("created_at", "pk")


def live_ahead(attempt: LoginAttempt) -> int:
    """How many wait before this one, which waits itself."""
    return live_line().filter(created_at__lt=attempt.created_at).count()


def live_gone(*, attempt_id: UUID) -> None:
    """The worker's way to the web process broke. One that lives renews its lease, or ends the login by itself; what a
    dead one has left ends soon.
    """
    running = LoginAttempt.objects.filter(pk=attempt_id, live=True, started_at__isnull=False, ended_at=None)
    running.update(lease_until=timezone.now() + GONE_LEASE)


def live_dial(*, attempt_id: UUID, secret: str) -> bool:
    """Whether this is the worker of a live login that runs. Its secret is good for one time."""
    attempt = LoginAttempt.objects.filter(pk=attempt_id, live=True, started_at__isnull=False, ended_at=None).first()
    if attempt is None or not attempt.live_secret:
        return False
    if not secrets.compare_digest(crypto.unseal(attempt, "live_secret").encode(), secret.encode()):
        return False
    return bool(LoginAttempt.objects.filter(pk=attempt_id, live_secret=attempt.live_secret).update(live_secret=""))


def _live_values(attempt: LoginAttempt, web_url: str) -> dict[str, Any]:
    now = timezone.now()
    return {
        "live": True,
        "live_secret": crypto.seal(attempt, "live_secret", secrets.token_urlsafe(DIAL_BYTES)),
        "live_url": f"{web_url.rstrip('/')}/dashboard/ws/browsers/{attempt.pk}/",
        "trigger": Trigger.PERSON,
        "created_at": now,
        "sent_at": now,
        "lease_until": now + PAGE_LEASE,
    }


def _take_over(opened: LoginAttempt, values: Mapping[str, Any]) -> bool:
    """Make a login that no worker has begun a live one."""
    return bool(LoginAttempt.objects.filter(pk=opened.pk, started_at=None, ended_at=None).update(**values))


def _create(attempt: LoginAttempt, values: Mapping[str, Any]) -> bool:
    for name, value in values.items():
        setattr(attempt, name, value)
    try:
        with transaction.atomic():
            attempt.save(force_insert=True)
    except IntegrityError:
        return False
    return True
