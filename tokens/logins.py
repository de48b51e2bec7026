"""Logins asked for: one open at a time for an account, handed to the workers, sent again when lost."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from celery import current_app
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Account, LoginBlock
from accounts.services import login_reset
from gateway.errors import AccountBlocked, AccountUnavailable
from tokens import verdicts
from tokens.leftovers import end_chrome
from tokens.limits import refuse_too_many
from tokens.models import LoginAttempt, Outcome, Trigger

RESEND_AFTER = timedelta(seconds=10)


def login_ask(*, account: Account, trigger: Trigger, limited: bool = False) -> LoginAttempt:
    """The account's open login, or a new one for the workers; `limited`: unless people have had too many of late.

    Raises `AccountBlocked`, `AccountUnavailable`, `LoginLimitReached` where none may start.
    """
    if limited and not LoginAttempt.objects.filter(account=account, ended_at=None).exists():
        refuse_too_many(account)
    attempt, is_new = open_attempt(account, trigger)
    if is_new:
        # Robust: a broker that is away for a moment fails no request, for `logins_resend` sends the row again.
        transaction.on_commit(lambda: login_send(attempt_id=attempt.pk), robust=True)
    return attempt


def login_send(*, attempt_id: UUID) -> None:
    """Hand an attempt to the workers. Should the broker lose it, `logins_resend` sends it again."""
    attempts = LoginAttempt.objects.filter(pk=attempt_id)
    attempts.update(sent_at=timezone.now())
    # A person's five minutes must not keep the logins in the background waiting.
    task, queue = ("tokens.log_in_live", "live") if attempts.filter(live=True).exists() else ("tokens.log_in", "logins")
    current_app.send_task(task, args=[str(attempt_id)], queue=queue, expires=60)


def open_attempt(account: Account, trigger: Trigger) -> tuple[LoginAttempt, bool]:
    """As `login_ask`, without handing it to the workers; and whether it is new."""
    refuse_if_paused(account)
    if trigger in (Trigger.PERSON, Trigger.ADDED):
        login_reset(account=account)
    attempt = LoginAttempt.objects.filter(account=account, ended_at=None).first()
    if attempt is not None:
        return attempt, False
    # Read after the look for an open login: if one has just ended, its verdict is there.
    account.refresh_from_db()
    _refuse_if_no_login_may_start(account)
    try:
        with transaction.atomic():
            return LoginAttempt.objects.create(account=account, trigger=trigger), True
    except IntegrityError:
        return LoginAttempt.objects.get(account=account, ended_at=None), False


def logins_resend() -> None:
    """Send again what no worker took up, and end what a dead worker left."""
    now = timezone.now()
    waiting = LoginAttempt.objects.filter(started_at=None, ended_at=None, sent_at__lt=now - RESEND_AFTER)
    for attempt_id in list(waiting.values_list("pk", flat=True)):
        login_send(attempt_id=attempt_id)
    for attempt in LoginAttempt.objects.filter(ended_at=None, lease_until__lt=now).select_related("account"):
        if attempt.started_at is None:
            verdicts.never_begun(attempt)
        else:
            verdicts.lost(attempt)


def accounts_to_refresh() -> list[Account]:
    """Accounts that have no good token for much longer, or whose first login failed; and may log in by themselves."""
    now = timezone.now()
    failed_before_any_token = Q(token=None) & (Q(early_failures__gt=0) | Q(password_tries__gt=0))
    due = Q(token__refresh_at__lte=now) | Q(token__dead_at__isnull=False) | failed_before_any_token
    return list(
        Account.objects.filter(
            due, Account.CAN_LOG_IN, paused_at=None, login_block=LoginBlock.NONE, next_login_at__lte=now
        )
        .filter(member__leaving_at=None)
        .select_related("member")
    )


def chromes_left() -> bool:
    """Whether a crash left a Chrome that a worker of its host should end."""
    return LoginAttempt.objects.filter(outcome=Outcome.LOST, process_group__isnull=False).exists()


def chromes_sweep() -> None:
    """End what is left of Chrome after a crash of a worker on this host."""
    left = LoginAttempt.objects.filter(outcome=Outcome.LOST, host=socket.gethostname(), process_group__isnull=False)
    for attempt in left:
        if attempt.process_group is not None:
            end_chrome(attempt.process_group, Path(attempt.scratch))
        LoginAttempt.objects.filter(pk=attempt.pk).update(process_group=None)


def is_logging_in(*, account: Account) -> bool:
    """Whether a worker or a person is in the middle of a login of the account."""
    return LoginAttempt.objects.filter(account=account, started_at__isnull=False, ended_at=None).exists()


def refuse_if_paused(account: Account) -> None:
    if account.paused_at is not None or account.member.leaving_at is not None:
        raise AccountBlocked(
            "This XJTLU account is paused. Ask the gateway's admin to resume it.", code="account_paused"
        )


def _refuse_if_no_login_may_start(account: Account) -> None:
    if account.login_block == LoginBlock.WRONG_PASSWORD:
        raise AccountUnavailable(
            f"The school refused the XJTLU password: {account.login_block_reason} It is not tried again by itself. "
            "Type the right one on your account's page of the dashboard.",
            code="wrong_password",
            permanent=True,
        )
    if account.login_block == LoginBlock.NEEDS_YOU:
        raise AccountUnavailable(
            f"The XJTLU login needs a person: {account.login_block_reason} Open the live login on your account's page "
            "of the dashboard, or hand over a token from your own browser there.",
            code="login_needs_you",
            permanent=True,
        )
    if not account.can_log_in:
        raise AccountUnavailable(
            "No XJTLU password is stored, and no token works. Store the password on your account's page of the "
            "dashboard, or bring a token there.",
            code="password_missing",
            permanent=True,
        )
    wait = (account.next_login_at - timezone.now()).total_seconds()
    if wait > 0:
        raise AccountUnavailable(
            f"The last XJTLU login failed: {_last_message(account)} The gateway tries again by itself in {wait:.0f} s.",
            code="login_failed",
            retry_after=wait,
        )


def _last_message(account: Account) -> str:
    last = LoginAttempt.objects.filter(account=account).exclude(message="").first()
    return last.message if last else "no reason was noted."
