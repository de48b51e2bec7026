"""One login, run: claimed by one worker, noted step by step, ended by a verdict."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import crypto
from accounts.models import Account, LoginBlock
from accounts.services import sign_on_cookies
from gateway import database, spacer
from gateway.errors import GatewayError
from tokens import verdicts
from tokens.browser import BrowserSettings, PageCalls, log_in
from tokens.errors import LoginError
from tokens.live.link import dialled
from tokens.live.places import allowed_places
from tokens.live.routes import switches
from tokens.live.view import LiveView
from tokens.logins import login_ask, open_attempt
from tokens.models import LoginAttempt, Trigger
from tokens.pictures import screenshot_keep, screenshot_path

LEASE = timedelta(seconds=30)
RENEW_SECONDS = 10.0
RENEW_LIVE_SECONDS = 2.0
"""Often, so that a person need not wait for the end of a login whose worker has died."""

KEPT_ATTEMPTS = 50


def login_run(
    *,
    attempt_id: UUID,
    ask_code: Callable[[str], str | None] = lambda asked: None,
    show: Callable[[str], object] = lambda line: None,
    time_limit_seconds: float | None = None,
    live: bool = False,
) -> LoginAttempt:
    """Run a waiting attempt to its end, if no other worker has claimed it. Its `outcome` says how it ended.

    `live` says for which of the two kinds the caller has a browser: an attempt of the other kind is left alone.
    """
    now = timezone.now()
    waiting = LoginAttempt.objects.filter(pk=attempt_id, live=live, started_at=None, ended_at=None)
    claimed = waiting.filter(account__member__leaving_at=None, account__paused_at=None).update(
        started_at=now, lease_until=now + LEASE, host=socket.gethostname()
    )
    attempt = LoginAttempt.objects.select_related("account__member").get(pk=attempt_id)
    if claimed:
        with database.repeating(
            lambda: _renew(attempt_id), every_seconds=RENEW_LIVE_SECONDS if live else RENEW_SECONDS
        ):
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
    attempt, _ = open_attempt(account, Trigger.PERSON)
    attempt = login_run(
        attempt_id=attempt.pk,
        ask_code=ask_code,
        show=show,
        time_limit_seconds=settings.INTERACTIVE_LOGIN_SECONDS,
    )
    return attempt if attempt.ended_at else None


def _run(attempt: LoginAttempt, watcher: Watcher, time_limit_seconds: float) -> None:
    account = attempt.account
    password = crypto.unseal(account, "password") or None
    try:
        with _viewer(attempt, watcher, password or "") as viewer:
            capture = log_in(
                portal_url=settings.XIPU_PORTAL_URL,
                username=account.username,
                password=None if _is_refused(account) else password,
                sign_on_cookies=sign_on_cookies(account),
                watcher=watcher,
                browser=_browser_settings(time_limit_seconds, live=attempt.live),
                api_url=settings.XIPU_API_URL or None,
                viewer=viewer,
            )
        verdicts.captured(attempt, capture)
    except LoginError as error:
        screenshot_keep(attempt, error.screenshot)
        if verdicts.refused(attempt, error, password=password):
            login_ask(account=account, trigger=Trigger.ADDED)
    except GatewayError as error:
        verdicts.failed(attempt, error.message)
    except Exception as error:
        verdicts.failed(attempt, f"Unexpected {type(error).__name__}: see the worker's log.")
        raise


@contextmanager
def _viewer(attempt: LoginAttempt, watcher: Watcher, password: str) -> Iterator[LiveView | None]:
    """The person of a live login. Raises `PersonLeft` where their page cannot be reached."""
    if not attempt.live:
        yield None
        return
    with dialled(attempt.live_url, crypto.unseal(attempt, "live_secret")) as link:
        yield LiveView(link, watcher, password)


def _is_refused(account: Account) -> bool:
    """Whether the stored password is known to be wrong: in a live login the person types another."""
    return account.login_block == LoginBlock.WRONG_PASSWORD


def _browser_settings(time_limit_seconds: float, *, live: bool) -> BrowserSettings:
    return BrowserSettings(
        chrome_binary=settings.CHROME_BINARY or None,
        chromedriver=settings.CHROMEDRIVER or None,
        time_limit_seconds=time_limit_seconds,
        extra_selectors=settings.XIPU_SELECTORS,
        switches=switches(allowed_places()) if live else (),
        keeps_dialogs=live,
    )


def _renew(attempt_id: UUID) -> None:
    LoginAttempt.objects.filter(pk=attempt_id, ended_at=None).update(lease_until=timezone.now() + LEASE)


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

    def asked(self, asked: str, message: str) -> None:
        """What the school asks of the person of a live login now; "" for nothing."""
        self._attempt.asked = asked
        self._attempt.save(update_fields=["asked"])
        if asked:
            self.step("asking a person", message)

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
