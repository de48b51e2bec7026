"""Celery's edge of the logins."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import current_app, shared_task

from gateway.errors import AccountBlocked, AccountUnavailable
from tokens import logins
from tokens.models import Outcome, Trigger

log = structlog.get_logger(__name__)


@shared_task(name="tokens.log_in")
def log_in(attempt_id: str) -> None:
    """Run one login, if no other worker has it. The new token's catalogue is fetched next."""
    logins.chromes_sweep()
    attempt = logins.login_run(attempt_id=UUID(attempt_id))
    if attempt.outcome == Outcome.CAPTURED:
        current_app.send_task("gateway.refresh_catalogue", args=[str(attempt.account_id)])


@shared_task(name="tokens.send_due_logins")
def send_due_logins() -> None:
    logins.logins_resend()


@shared_task(name="tokens.send_due_refreshes")
def send_due_refreshes() -> None:
    for account in logins.accounts_to_refresh():
        try:
            logins.login_ask(account=account, trigger=Trigger.REFRESH)
        except (AccountUnavailable, AccountBlocked) as error:
            log.info("no refresh", account=str(account.pk), code=error.code)
