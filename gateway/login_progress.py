"""An account's latest login, as its page shows it while it runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext, override

from accounts.models import Account
from gateway.formats import milliseconds
from tokens import states, wording
from tokens.live.asking import live_ahead
from tokens.models import LoginAttempt, Outcome

Progress = dict[str, Any]


def progress(account_id: UUID, language: str) -> Progress | None:
    """State of the account and its latest login, in words of `language`; None where the account is gone.

    `{"state": {"label", "tone"}, "running", "login": None or {"id", "live", "waiting", "outcome", "message", "asked",
    "line", "steps": [{"at", "step", "detail"}], "seconds_left"}, "html"}`; `line` tells who waits before a live login
    that waits for a browser, `seconds_left` is of one that runs, `html` is how a page shows all of it.
    """
    account = states.with_state(Account.objects.filter(pk=account_id)).first()
    if account is None:
        return None
    attempt = LoginAttempt.objects.filter(account_id=account_id).first()
    with override(language):
        state = states.State(account.state)
        shown = {
            "state": {"label": str(state.label), "tone": states.TONES[state]},
            "running": attempt is not None and attempt.ended_at is None,
            "login": None if attempt is None else _login(attempt),
        }
        return {**shown, "html": render_to_string("dashboard/progress_now.html", shown)}


def _login(attempt: LoginAttempt) -> Progress:
    return {
        "id": str(attempt.pk),
        "live": attempt.live,
        "waiting": attempt.started_at is None,
        "outcome": _outcome(attempt),
        "message": wording.message_in_words(attempt.message),
        "asked": wording.asked_in_words(attempt.asked) if attempt.ended_at is None else "",
        "line": _line(attempt),
        "steps": [_step(step) for step in attempt.steps],
        "seconds_left": _seconds_left(attempt),
    }


def _outcome(attempt: LoginAttempt) -> dict[str, str] | None:
    if not attempt.outcome:
        return None
    outcome = Outcome(attempt.outcome)
    return {"label": str(outcome.label), "tone": states.OUTCOME_TONES[outcome]}


def _line(attempt: LoginAttempt) -> str:
    ahead = live_ahead(attempt) if attempt.live and attempt.started_at is None and attempt.ended_at is None else 0
    if not ahead:
        return ""
    return ngettext(
        "All live browsers are in use, and %(n)d person waits before you. Keep this page open.",
        "All live browsers are in use, and %(n)d people wait before you. Keep this page open.",
        ahead,
    ) % {"n": ahead}


def _step(step: dict[str, Any]) -> dict[str, str]:
    return {
        "at": milliseconds(round(step["at"] * 1000)),
        "step": wording.in_words(step["step"]),
        "detail": wording.message_in_words(step["detail"]),
    }


def _seconds_left(attempt: LoginAttempt) -> float | None:
    if not attempt.live or attempt.started_at is None or attempt.ended_at is not None:
        return None
    gone = (timezone.now() - attempt.started_at).total_seconds()
    return round(max(0.0, settings.INTERACTIVE_LOGIN_SECONDS - gone), 1)
