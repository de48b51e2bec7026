"""A person's login in the foreground, for the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass

from celery import current_app
from django.core.management.base import CommandError
from kombu.exceptions import KombuError

from accounts.models import Account
from gateway.errors import AccountBlocked, AccountUnavailable
from gateway.management.members import read_secret
from tokens.models import Outcome
from tokens.running import login_now


def log_in_here(account: Account, *, show: Callable[[str], object], code_file: str | None = None) -> None:
    """Log the account in, showing the steps. Raises `CommandError` unless a token was captured."""

    def ask_code(asked: str) -> str | None:
        if code_file is not None:
            return read_secret(code_file) or None
        if not sys.stdin.isatty():
            return None
        return getpass(f"The school asks for a code ({asked}): ") or None

    try:
        attempt = login_now(account=account, ask_code=ask_code, show=show)
    except (AccountBlocked, AccountUnavailable) as error:
        raise CommandError(error.message) from None
    if attempt is None:
        raise CommandError("A login of this account is running already. Wait for its end.")
    if attempt.outcome != Outcome.CAPTURED:
        raise CommandError(attempt.message)
    show("Logged in.")
    try:
        current_app.send_task("gateway.refresh_catalogue", args=[str(account.pk)], retry=False)
    except (KombuError, OSError):
        show("The broker is not reached: the list of models comes when the workers run.")
