"""What the desk's process does for tests of the member's pages. Imported with settings of either process."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from accounts.models import Account, Member
from accounts.services import password_change
from tokens.models import LoginAttempt


def sign_in(name: str) -> str:
    """The session cookie of a member who has signed in."""
    member = Member.objects.get(username=name)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(member.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = member.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def make_staff(name: str) -> None:
    Member.objects.filter(username=name).update(is_staff=True, is_superuser=True)


def account_id(name: str) -> Any:
    return Account.objects.get(member__username=name).pk


def live_attempt(name: str) -> dict[str, Any]:
    """The newest live login."""
    attempt = LoginAttempt.objects.filter(account__member__username=name, live=True)[0]
    return {
        "id": attempt.pk,
        "url": attempt.live_url,
        "has_secret": bool(attempt.live_secret),
        "asked": attempt.asked,
        "started": attempt.started_at is not None,
        "outcome": attempt.outcome,
        "message": attempt.message,
        "steps": [step["step"] for step in attempt.steps],
        "has_screenshot": attempt.has_screenshot,
    }


def store_password(name: str, password: str) -> None:
    """Without a login."""
    password_change(account=Account.objects.get(member__username=name), xjtlu_password=password)
