"""A request that finds no token starts a login and waits for it, within bounds."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from accounts.models import Account
from gateway import database
from gateway.errors import AccountUnavailable
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.services import Usable, usable

POLL_SECONDS = 0.2


async def usable_or_wait(account_id: UUID, *, seconds: float) -> Usable:
    """The account's token, where needed from a login that is waited for at most so long.

    Raises `AccountUnavailable` or `AccountBlocked`: what happened, and who must act.
    """
    token = await database.run(usable, account_id)
    if token is not None:
        return token
    attempt_id = await database.run(_ask, account_id)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        token = await database.run(usable, account_id)
        if token is not None:
            return token
        attempt = await database.run(LoginAttempt.objects.filter(pk=attempt_id).first)
        if attempt is None or (attempt.ended_at is not None and attempt.outcome != Outcome.CAPTURED):
            raise await database.run(_why, account_id)
    raise AccountUnavailable(
        f"The XJTLU login of this account has taken over {seconds:.0f} s and goes on. Try again a little later.",
        code="login_running",
        retry_after=10,
    )


def _ask(account_id: UUID) -> UUID:
    account = Account.objects.select_related("member").get(pk=account_id)
    return login_ask(account=account, trigger=Trigger.REQUEST).pk


def _why(account_id: UUID) -> AccountUnavailable:
    """The state in which the failed login left the account, as the error of a request."""
    account = Account.objects.select_related("member").get(pk=account_id)
    try:
        login_ask(account=account, trigger=Trigger.REQUEST)
    except AccountUnavailable as error:
        return error
    return AccountUnavailable("The XJTLU login failed. The gateway tries again by itself.", code="login_failed")
