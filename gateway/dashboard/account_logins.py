"""The last logins of an account, as its page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from accounts.models import Account
from gateway.formats import Tone, milliseconds
from tokens import wording
from tokens.models import LoginAttempt, Outcome
from tokens.pictures import screenshot_path
from tokens.states import OUTCOME_TONES

SHOWN = 15


@dataclass(frozen=True)
class Login:
    """One ended login; `steps` are (time, step, detail) in words."""

    attempt: LoginAttempt
    label: str
    tone: Tone
    message: str
    began_at: datetime
    took: timedelta | None
    steps: list[tuple[str, str, str]]
    has_picture: bool


def logins_of(account: Account) -> tuple[Login | None, list[Login]]:
    """The latest, None while it runs; and those before it, the newest first."""
    attempts = list(LoginAttempt.objects.filter(account=account)[:SHOWN])
    latest = _login(attempts[0]) if attempts and attempts[0].ended_at else None
    return latest, [_login(attempt) for attempt in attempts[1:] if attempt.ended_at]


def picture_of(account: Account, attempt_id: UUID) -> bytes | None:
    """The page on which a login of this account failed, as PNG; None where there is no picture."""
    attempt = LoginAttempt.objects.filter(pk=attempt_id, account=account, has_screenshot=True).first()
    path = screenshot_path(attempt) if attempt else None
    return path.read_bytes() if path and path.is_file() else None


def _login(attempt: LoginAttempt) -> Login:
    outcome = Outcome(attempt.outcome or Outcome.LOST)
    began, ended = attempt.started_at, attempt.ended_at
    return Login(
        attempt=attempt,
        label=str(outcome.label),
        tone=OUTCOME_TONES[outcome],
        message=wording.message_in_words(attempt.message),
        began_at=began or attempt.created_at,
        took=ended - began if began and ended else None,
        steps=[
            (
                milliseconds(round(step["at"] * 1000)),
                wording.in_words(step["step"]),
                wording.message_in_words(step["detail"]),
            )
            for step in attempt.steps
        ],
        has_picture=attempt.has_screenshot and screenshot_path(attempt).is_file(),
    )
