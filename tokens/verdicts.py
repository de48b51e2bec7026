"""What the end of a login means for the account.

A wrong password is tried once. Any other end after the password was submitted counts as a try, and two in a row wait
for a person, as does every check that the sign-on has for a person. Ends before the password back off.

The account's new state and the attempt's end are one transaction: whoever sees that a login has ended sees why no
other may start.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from celery import current_app
from django.db import transaction
from django.utils import timezone

from accounts import crypto
from accounts.models import Account, LoginBlock
from accounts.services import login_reset, sign_on_cookies_keep
from gateway.school.token import SchoolToken
from tokens.capture import Capture
from tokens.errors import (
    AccountLocked,
    LoginError,
    LoginFailed,
    LoginTimedOut,
    PasswordNeeded,
    PersonLeft,
    PersonNeeded,
    WrongPassword,
)
from tokens.models import LoginAttempt, Outcome
from tokens.services import token_store

log = structlog.get_logger(__name__)

NEVER_BEGUN = "No browser was free for this login while its page was open."
CHECKS = {
    "captcha": "The sign-on asks for a captcha.",
    "second factor": "The sign-on asks for a second factor.",
    "bot check": "The sign-on shows nothing to an automated browser.",
    "password": "The sign-on asks for the password, and none is stored.",
    "page": "The sign-on shows a page on which only a person can go on.",
}
"""Why an account waits for a person, by the `asked` of a live login that nobody finished."""

MAX_TRIES_WITH_PASSWORD = 2
MAX_BACK_OFF_MINUTES = 30


@transaction.atomic
def captured(attempt: LoginAttempt, capture: Capture) -> None:
    """The login brought a token. Raises `InvalidRequest` where it is another user's."""
    account = attempt.account
    token = SchoolToken(
        jm_token=capture.jm_token,
        sdp_app_session=capture.sdp_app_session,
        cookies=capture.cookies,
        api_url=capture.api_url,
        user_agent=capture.user_agent,
        origin=capture.origin,
    )
    token_store(account=account, token=token)
    sign_on_cookies_keep(account=account, cookies=capture.sign_on_cookies)
    login_reset(account=account)
    _end(attempt, Outcome.CAPTURED, "")


@transaction.atomic
def refused(attempt: LoginAttempt, error: LoginError, *, password: str | None) -> bool:
    """The login ended otherwise. `password` is the one that it used.

    Returns whether the password was changed meanwhile: then the end says nothing of the new one, and a login with it
    is due.
    """
    account = attempt.account
    if not LoginAttempt.objects.filter(pk=attempt.pk, ended_at=None).exists():
        # Taken for lost meanwhile, and judged.
        return False
    account.refresh_from_db()
    if (crypto.unseal(account, "password") or None) != password:
        _end(attempt, Outcome.FAILED, "The password was changed during this login.")
        return True
    if isinstance(error, WrongPassword | AccountLocked):
        _block(account, LoginBlock.WRONG_PASSWORD, error.message)
        _end(attempt, Outcome.WRONG_PASSWORD, error.message)
    elif isinstance(error, PersonNeeded | PasswordNeeded):
        _block(account, LoginBlock.NEEDS_YOU, error.message)
        _end(attempt, Outcome.NEEDS_YOU, error.message)
    elif isinstance(error, PersonLeft) or (attempt.live and isinstance(error, LoginTimedOut)):
        _unanswered(attempt, error.message)
    else:
        if isinstance(error, LoginFailed | LoginTimedOut) and not _submitted(attempt):
            # It may have been the kept cookies that led astray: the next login starts without them.
            sign_on_cookies_keep(account=account, cookies=[])
        failed(attempt, error.message)
    return False


@transaction.atomic
def failed(attempt: LoginAttempt, message: str, *, outcome: Outcome = Outcome.FAILED) -> None:
    """A try that counts, or a failure that backs off."""
    account = attempt.account
    account.refresh_from_db()
    if not _submitted(attempt):
        account.early_failures += 1
    if _submitted(attempt) and account.password_tries >= MAX_TRIES_WITH_PASSWORD:
        _block(
            account,
            LoginBlock.NEEDS_YOU,
            f"Two logins in a row failed after the password was sent, so it is not sent again by itself. {message}",
        )
    else:
        minutes = min(MAX_BACK_OFF_MINUTES, 2 ** max(0, account.early_failures - 1))
        account.next_login_at = timezone.now() + timedelta(minutes=minutes)
        account.save(update_fields=["early_failures", "next_login_at"])
    _end(attempt, outcome, message)


def _unanswered(attempt: LoginAttempt, message: str, *, outcome: Outcome = Outcome.FAILED) -> None:
    """The person of a live login did not finish it. Where the sign-on had asked them something, it did not refuse the
    password: the try is taken back, and no login starts by itself to be asked the same again.
    """
    account = attempt.account
    if attempt.asked and _submitted(attempt):
        account.password_tries = max(0, account.password_tries - 1)
        account.save(update_fields=["password_tries"])
    if attempt.asked and not account.login_block:
        _block(account, LoginBlock.NEEDS_YOU, CHECKS.get(attempt.asked, CHECKS["page"]))
    _end(attempt, outcome, message)


def never_begun(attempt: LoginAttempt) -> None:
    """A live login for which no browser was free while its page was open."""
    LoginAttempt.objects.filter(pk=attempt.pk, started_at=None, ended_at=None).update(
        ended_at=timezone.now(), outcome=Outcome.FAILED, message=NEVER_BEGUN, lease_until=None, live_secret=""
    )


@transaction.atomic
def lost(attempt: LoginAttempt) -> None:
    """The process that ran the login died. What is left of Chrome stays noted for the sweep."""
    message = "The process that ran this login ended in the middle of it."
    if attempt.asked:
        _unanswered(attempt, message, outcome=Outcome.LOST)
    else:
        failed(attempt, message, outcome=Outcome.LOST)


def _submitted(attempt: LoginAttempt) -> bool:
    return LoginAttempt.objects.filter(pk=attempt.pk, password_submitted=True).exists()


def _block(account: Account, block: LoginBlock, reason: str) -> None:
    is_new = account.login_block != block
    account.login_block, account.login_block_reason = block, reason[:300]
    account.save(update_fields=["login_block", "login_block_reason"])
    if is_new and block == LoginBlock.NEEDS_YOU:
        # Robust: the end of a login does not depend on whether the broker is there.
        transaction.on_commit(lambda: _tell_member(account.pk), robust=True)


def _tell_member(account_id: UUID) -> None:
    current_app.send_task("tokens.tell_needs_you", args=[str(account_id)], queue="calls", expires=3600)


def _end(attempt: LoginAttempt, outcome: Outcome, message: str) -> None:
    """Close the row; only the first end counts."""
    kept_chrome = {} if outcome == Outcome.LOST else {"process_group": None}
    LoginAttempt.objects.filter(pk=attempt.pk, ended_at=None).update(
        ended_at=timezone.now(),
        outcome=outcome,
        message=message[:500],
        lease_until=None,
        asked="",
        live_secret="",
        **kept_chrome,
    )
    attempt.refresh_from_db()
    log.info("login ended", login=str(attempt.pk), account=str(attempt.account_id), outcome=str(outcome))
