"""Logins: asked for, claimed by one worker, run in Chrome, ended; and what an end means for the account.

A wrong password is tried once. Any other end after the password was submitted counts as a try, and two in a row wait
for a person, as does every check that the sign-on has for a person. Ends before the password back off.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts import crypto
from accounts.models import Account, LoginBlock
from accounts.services import login_reset, sign_on_cookies, sign_on_cookies_keep
from gateway import database, spacer
from gateway.errors import AccountBlocked, AccountUnavailable, GatewayError
from gateway.school.token import SchoolToken
from tokens.browser import BrowserSettings, Capture, PageCalls, log_in
from tokens.chrome import end_chrome
from tokens.errors import (
    AccountLocked,
    LoginError,
    LoginFailed,
    LoginTimedOut,
    PasswordNeeded,
    PersonNeeded,
    WrongPassword,
)
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.services import token_store

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
RESEND_AFTER = timedelta(seconds=10)
MAX_TRIES_WITH_PASSWORD = 2
MAX_BACK_OFF_MINUTES = 30
KEPT_ATTEMPTS = 50


def login_ask(*, account: Account, trigger: Trigger) -> LoginAttempt:
    """The account's open login, or a new one for the workers.

    Raises `AccountBlocked`, `AccountUnavailable` where none may start.
    """
    attempt, is_new = _open_attempt(account, trigger)
    if is_new:
        # Robust: a broker that is away for a moment fails no request, for `logins_resend` sends the row again.
        transaction.on_commit(lambda: login_send(attempt_id=attempt.pk), robust=True)
    return attempt


def login_send(*, attempt_id: UUID) -> None:
    """Hand an attempt to the workers. Should the broker lose it, `logins_resend` sends it again."""
    LoginAttempt.objects.filter(pk=attempt_id).update(sent_at=timezone.now())
    current_app.send_task("tokens.log_in", args=[str(attempt_id)], queue="logins", expires=60)


def logins_resend() -> None:
    """Send again what no worker took up, and end what a dead worker left."""
    now = timezone.now()
    waiting = LoginAttempt.objects.filter(started_at=None, ended_at=None, sent_at__lt=now - RESEND_AFTER)
    for attempt_id in list(waiting.values_list("pk", flat=True)):
        login_send(attempt_id=attempt_id)
    for attempt in LoginAttempt.objects.filter(ended_at=None, lease_until__lt=now).select_related("account"):
        _end(attempt, Outcome.LOST, "The process that ran this login ended in the middle of it.")
        _failed_try(attempt, attempt.message)


def accounts_to_refresh() -> list[Account]:
    """Accounts that have no good token for much longer, or whose first login failed; and may log in by themselves."""
    now = timezone.now()
    failed_before_any_token = Q(token=None) & (Q(early_failures__gt=0) | Q(password_tries__gt=0))
    due = Q(token__refresh_at__lte=now) | Q(token__dead_at__isnull=False) | failed_before_any_token
    able = ~Q(password="") | ~Q(sign_on_cookies="")
    return list(
        Account.objects.filter(due, able, paused_at=None, login_block=LoginBlock.NONE, next_login_at__lte=now)
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


def login_run(
    *,
    attempt_id: UUID,
    ask_code: Callable[[str], str | None] = lambda asked: None,
    show: Callable[[str], object] = lambda line: None,
    time_limit_seconds: float | None = None,
) -> LoginAttempt:
    """Run a waiting attempt to its end, if no other worker has claimed it. Its `outcome` says how it ended."""
    now = timezone.now()
    waiting = LoginAttempt.objects.filter(pk=attempt_id, started_at=None, ended_at=None)
    claimed = waiting.filter(account__member__leaving_at=None).update(
        started_at=now, lease_until=now + LEASE, host=socket.gethostname()
    )
    attempt = LoginAttempt.objects.select_related("account__member").get(pk=attempt_id)
    if claimed:
        with database.repeating(lambda: _renew(attempt_id), every_seconds=LEASE.total_seconds() / 3):
            _run(
                attempt,
                Watcher(attempt, ask_code, show),
                time_limit_seconds or settings.LOGIN_TIME_LIMIT_SECONDS,
            )
        _prune(attempt.account)
    return attempt


def login_now(
    *, account: Account, ask_code: Callable[[str], str | None], show: Callable[[str], object]
) -> LoginAttempt | None:
    """A person's login in the foreground; None where another one is running."""
    attempt, _ = _open_attempt(account, Trigger.PERSON)
    attempt = login_run(
        attempt_id=attempt.pk,
        ask_code=ask_code,
        show=show,
        time_limit_seconds=settings.INTERACTIVE_LOGIN_SECONDS,
    )
    return attempt if attempt.ended_at else None


def is_logging_in(*, account: Account) -> bool:
    """Whether a worker or a person is in the middle of a login of the account."""
    return LoginAttempt.objects.filter(account=account, started_at__isnull=False, ended_at=None).exists()


def pictures_erase(*, account: Account) -> None:
    """Remove the pictures of all logins of the account."""
    for attempt in LoginAttempt.objects.filter(account=account):
        screenshot_path(attempt).unlink(missing_ok=True)


def screenshot_path(attempt: LoginAttempt) -> Path:
    """Where the picture of a failed login is, if it has one."""
    return Path(settings.DATA_DIR) / "screenshots" / f"{attempt.pk}.png"


def _open_attempt(account: Account, trigger: Trigger) -> tuple[LoginAttempt, bool]:
    _refuse_if_paused(account)
    if trigger in (Trigger.PERSON, Trigger.ADDED):
        login_reset(account=account)
    attempt = LoginAttempt.objects.filter(account=account, ended_at=None).first()
    if attempt is not None:
        return attempt, False
    _refuse_if_no_login_may_start(account)
    try:
        with transaction.atomic():
            return LoginAttempt.objects.create(account=account, trigger=trigger), True
    except IntegrityError:
        return LoginAttempt.objects.get(account=account, ended_at=None), False


def _refuse_if_paused(account: Account) -> None:
    if account.paused_at is not None or account.member.leaving_at is not None:
        raise AccountBlocked(
            "This XJTLU account is paused. Ask the gateway's admin to resume it.", code="account_paused"
        )


def _refuse_if_no_login_may_start(account: Account) -> None:
    if account.login_block == LoginBlock.WRONG_PASSWORD:
        raise AccountUnavailable(
            f"The school refused the XJTLU password: {account.login_block_reason} It is not tried again by itself. "
            "Give the gateway's admin the right password.",
            code="wrong_password",
            permanent=True,
        )
    if account.login_block == LoginBlock.NEEDS_YOU:
        raise AccountUnavailable(
            f"The XJTLU login needs a person: {account.login_block_reason} Ask the gateway's admin to log the account "
            "in by hand, or paste a token from your own browser.",
            code="login_needs_you",
            permanent=True,
        )
    if not account.has_password and not account.sign_on_cookies:
        raise AccountUnavailable(
            "The account has no usable token and no XJTLU password is stored. Paste a fresh token, or give the "
            "gateway's admin the password.",
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


def _run(attempt: LoginAttempt, watcher: Watcher, time_limit_seconds: float) -> None:
    account = attempt.account
    try:
        capture = log_in(
            portal_url=settings.XIPU_PORTAL_URL,
            username=account.username,
            password=crypto.unseal(account, "password") or None,
            sign_on_cookies=sign_on_cookies(account),
            watcher=watcher,
            browser=_browser_settings(time_limit_seconds),
            api_url=settings.XIPU_API_URL or None,
        )
        _captured(attempt, capture)
    except LoginError as error:
        _keep_screenshot(attempt, error.screenshot)
        if _password_changed_since(account):
            _end(attempt, Outcome.FAILED, "The password was changed during this login.")
            login_ask(account=account, trigger=Trigger.ADDED)
            return
        _refused(attempt, error)
        if isinstance(error, LoginFailed | LoginTimedOut) and not attempt.password_submitted:
            # It may have been the kept cookies that led astray: the next login starts without them.
            sign_on_cookies_keep(account=account, cookies=[])
    except (GatewayError, crypto.CannotUnseal) as error:
        _end(attempt, Outcome.FAILED, str(error))
        _failed_try(attempt, attempt.message)
    except Exception as error:
        _end(attempt, Outcome.FAILED, f"Unexpected {type(error).__name__}: see the worker's log.")
        _failed_try(attempt, attempt.message)
        raise


def _browser_settings(time_limit_seconds: float) -> BrowserSettings:
    return BrowserSettings(
        chrome_binary=settings.CHROME_BINARY or None,
        chromedriver=settings.CHROMEDRIVER or None,
        time_limit_seconds=time_limit_seconds,
        extra_selectors=settings.XIPU_SELECTORS,
    )


def _captured(attempt: LoginAttempt, capture: Capture) -> None:
    account = attempt.account
    token = SchoolToken(
        jm_token=capture.jm_token,
        sdp_app_session=capture.sdp_app_session,
        cookies=capture.cookies,
        api_url=capture.api_url,
        user_agent=capture.user_agent,
        origin=capture.origin,
    )
    with transaction.atomic():
        token_store(account=account, token=token)
        sign_on_cookies_keep(account=account, cookies=capture.sign_on_cookies)
        login_reset(account=account)
        _end(attempt, Outcome.CAPTURED, "")


def _password_changed_since(account: Account) -> bool:
    """Whether the password that this login used is not the stored one any more: its end says nothing of the new one."""
    return not Account.objects.filter(pk=account.pk, password=account.password).exists()


def _refused(attempt: LoginAttempt, error: LoginError) -> None:
    account = attempt.account
    if isinstance(error, WrongPassword | AccountLocked):
        _end(attempt, Outcome.WRONG_PASSWORD, error.message)
        _block(account, LoginBlock.WRONG_PASSWORD, error.message)
    elif isinstance(error, PersonNeeded | PasswordNeeded):
        _end(attempt, Outcome.NEEDS_YOU, error.message)
        _block(account, LoginBlock.NEEDS_YOU, error.message)
    else:
        _end(attempt, Outcome.FAILED, error.message)
        _failed_try(attempt, error.message)


def _failed_try(attempt: LoginAttempt, message: str) -> None:
    account = attempt.account
    account.refresh_from_db()
    if not attempt.password_submitted:
        account.early_failures += 1
    elif account.password_tries >= MAX_TRIES_WITH_PASSWORD:
        _block(
            account,
            LoginBlock.NEEDS_YOU,
            f"Two logins in a row failed after the password was sent, so it is not sent again by itself. {message}",
        )
        return
    minutes = min(MAX_BACK_OFF_MINUTES, 2 ** max(0, account.early_failures - 1))
    account.next_login_at = timezone.now() + timedelta(minutes=minutes)
    account.save(update_fields=["early_failures", "next_login_at"])


def _block(account: Account, block: LoginBlock, reason: str) -> None:
    account.login_block, account.login_block_reason = block, reason[:300]
    account.save(update_fields=["login_block", "login_block_reason"])


def _end(attempt: LoginAttempt, outcome: Outcome, message: str) -> None:
    """Close the row; only the first end counts. What is left of Chrome after a crash stays noted for the sweep."""
    attempt.refresh_from_db(fields=["steps", "password_submitted", "process_group", "scratch", "has_screenshot"])
    attempt.ended_at, attempt.outcome, attempt.message = timezone.now(), outcome, message[:500]
    attempt.lease_until = None
    if outcome != Outcome.LOST:
        attempt.process_group = None
    attempt.save(update_fields=["ended_at", "outcome", "message", "lease_until", "process_group"])
    log.info("login ended", login=str(attempt.pk), account=str(attempt.account_id), outcome=str(outcome))


def _renew(attempt_id: UUID) -> None:
    LoginAttempt.objects.filter(pk=attempt_id, ended_at=None).update(lease_until=timezone.now() + LEASE)


def _keep_screenshot(attempt: LoginAttempt, picture: bytes | None) -> None:
    if picture is None:
        return
    path = screenshot_path(attempt)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(picture)
    LoginAttempt.objects.filter(pk=attempt.pk).update(has_screenshot=True)


def _prune(account: Account) -> None:
    """Keep an account's newest attempts; older ones go with their pictures."""
    for attempt in LoginAttempt.objects.filter(account=account, ended_at__isnull=False)[KEPT_ATTEMPTS:]:
        screenshot_path(attempt).unlink(missing_ok=True)
        attempt.delete()


class Watcher:
    """Notes in the attempt's row what the browser does, when it happens."""

    def __init__(
        self, attempt: LoginAttempt, ask_code: Callable[[str], str | None], show: Callable[[str], object]
    ) -> None:
        self._attempt = attempt
        self._ask_code = ask_code
        self._show = show
        self._started = time.monotonic()

    def step(self, name: str, detail: str = "") -> None:
        at = round(time.monotonic() - self._started, 1)
        self._attempt.steps.append({"at": at, "step": name, "detail": detail})
        self._attempt.save(update_fields=["steps"])
        self._show(f"{at:5.1f} s  {name}" + (f": {detail}" if detail else ""))

    def before_password(self) -> None:
        """A try counts before the click, so that a crash right after it counts too."""
        with transaction.atomic():
            LoginAttempt.objects.filter(pk=self._attempt.pk).update(password_submitted=True)
            Account.objects.filter(pk=self._attempt.account_id).update(password_tries=F("password_tries") + 1)

    @contextmanager
    def chat_page(self) -> Iterator[PageCalls]:
        self.step("waiting for a slot of the account")
        with spacer.held(self._attempt.account_id) as hold:
            yield hold

    def chrome_started(self, process_group: int, scratch: Path) -> None:
        LoginAttempt.objects.filter(pk=self._attempt.pk).update(process_group=process_group, scratch=str(scratch))

    def ask_code(self, asked: str) -> str | None:
        self.step("asking a person", asked)
        return self._ask_code(asked)
