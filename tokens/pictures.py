"""Pictures of pages on which logins failed: files in the data directory that only their owner can read."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from accounts.models import Account
from tokens.models import LoginAttempt


def screenshot_path(attempt: LoginAttempt) -> Path:
    """Where the picture of a failed login is, if it has one."""
    return Path(settings.DATA_DIR) / "screenshots" / f"{attempt.pk}.png"


def screenshot_keep(attempt: LoginAttempt, picture: bytes | None) -> None:
    if picture is None:
        return
    path = screenshot_path(attempt)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(picture)
    LoginAttempt.objects.filter(pk=attempt.pk).update(has_screenshot=True)


def pictures_erase(*, account: Account) -> None:
    """Remove the pictures of all logins of the account."""
    for attempt in LoginAttempt.objects.filter(account=account):
        screenshot_path(attempt).unlink(missing_ok=True)
