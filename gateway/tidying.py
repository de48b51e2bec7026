"""What nobody needs any more, and nothing else erases: ended sessions, and wrong sign-ins that no lock counts."""

from __future__ import annotations

from importlib import import_module

from axes.models import AccessAttempt
from django.conf import settings
from django.utils import timezone


def erase_ended_sessions() -> None:
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def erase_old_failures() -> None:
    """They hold names, addresses and browsers. Signing in erases them too, but perhaps nobody signs in for long."""
    AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME).delete()
