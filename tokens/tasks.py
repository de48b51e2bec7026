"""Celery's edge of the logins."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from celery import current_app, shared_task, signals
from django.conf import settings
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from accounts.invitations import listening_at
from accounts.models import Account, LoginBlock
from gateway.errors import AccountBlocked, AccountUnavailable
from gateway.mail import mail_send
from tokens import logins
from tokens.leftovers import end_chrome
from tokens.live.asking import live_line
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.wording import message_in_words

log = structlog.get_logger(__name__)
_running: set[UUID] = set()


@shared_task(name="tokens.log_in")
def log_in(attempt_id: str) -> None:
    """Run one login in the background, if no other worker has it."""
    _log_in(attempt_id, live=False)


@shared_task(name="tokens.log_in_live")
def log_in_live(attempt_id: str) -> None:
    """Run a login that its member watches and acts in: the first of those that wait, not the one that is named."""
    for waiting in list(live_line().values_list("pk", flat=True)):
        # Else another worker has taken it meanwhile.
        if _log_in(str(waiting), live=True):
            break


def _log_in(attempt_id: str, *, live: bool) -> bool:
    """Whether it came to its end, here. The new token's catalogue is fetched next."""
    logins.chromes_sweep()
    if not LoginAttempt.objects.filter(pk=attempt_id).exists():
        # Its member was removed before a worker came to it.
        return False
    # Here, for Selenium is a third of a second and 15 MB, and most processes never run a browser.
    from tokens.running import login_run

    _running.add(UUID(attempt_id))
    try:
        limit = settings.INTERACTIVE_LOGIN_SECONDS if live else None
        attempt = login_run(attempt_id=UUID(attempt_id), time_limit_seconds=limit, live=live)
    finally:
        _running.discard(UUID(attempt_id))
    if attempt.outcome == Outcome.CAPTURED:
        current_app.send_task("gateway.refresh_catalogue", args=[str(attempt.account_id)])
    return attempt.ended_at is not None


@shared_task(name="tokens.tell_needs_you")
def tell_needs_you(account_id: str) -> None:
    """Mail the member that their login waits for them, where mail is configured."""
    account = Account.objects.filter(pk=account_id, login_block=LoginBlock.NEEDS_YOU).select_related("member").first()
    if account is None:
        # Mended, or removed, before the worker came to it.
        return
    page = reverse("dashboard:account")
    member = account.member
    mail_send(
        to=member.email,
        subject=_("Your XJTLU login needs you"),
        template="login_needs_you",
        context={
            "name": member.first_name or member.get_username(),
            # In the language in which the mail is written, which may be several.
            "reason": lazy(message_in_words, str)(account.login_block_reason),
            "link": (settings.PUBLIC_URL or listening_at(settings.GATEWAY_HOST, settings.GATEWAY_PORT)) + page,
        },
    )


@shared_task(name="tokens.send_due_logins")
def send_due_logins() -> None:
    logins.logins_resend()
    if logins.chromes_left():
        sweep_chromes.apply_async(expires=60)


@shared_task(name="tokens.sweep_chromes")
def sweep_chromes() -> None:
    logins.chromes_sweep()


@shared_task(name="tokens.send_due_refreshes")
def send_due_refreshes() -> None:
    for account in logins.accounts_to_refresh():
        try:
            logins.login_ask(account=account, trigger=Trigger.REFRESH)
        except (AccountUnavailable, AccountBlocked) as error:
            log.info("no refresh", account=str(account.pk), code=error.code)


@signals.worker_shutting_down.connect
def end_logins_after_drain(**_kwargs: Any) -> None:
    """A stopping worker waits for its logins, like the web process for its answers, and no longer."""
    threading.Thread(target=_end_logins, name="drain", daemon=True).start()


def _end_logins() -> None:
    """End Chrome, and with it the login, before the worker is killed and Chrome left behind."""
    time.sleep(settings.DRAIN_SECONDS)
    while _running:
        for attempt in LoginAttempt.objects.filter(pk__in=_running, process_group__isnull=False):
            log.warning("a login takes longer than the drain: ending its Chrome", login=str(attempt.pk))
            end_chrome(attempt.process_group or 0, Path(attempt.scratch))
        time.sleep(1)
