"""Template tags of logins."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

from accounts.models import Account
from gateway.login_progress import Progress, progress

register = template.Library()


@register.simple_tag
def login_progress(account: Account) -> Progress | None:
    """The account's latest login, as the WebSocket of the page tells it anew at each change."""
    return progress(account.pk, get_language() or "")
