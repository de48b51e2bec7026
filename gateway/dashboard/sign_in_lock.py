"""The lock after wrong passwords, as django-axes asks for it. Three things are counted, each for a quarter of an hour:

- a name from one address: after 8 nobody signs in to it from there;
- an address with any names: after 32, or one password could be tried on every member;
- a name from any address: after 32, or many addresses could try one name.

Of an IPv6 address its /64 counts, which one machine has to itself. The last two locks hit others than who guesses: a
campus shares one address, and strangers know a member's name. So neither holds a browser in which this member has
signed in before; wrong passwords while a lock holds do not prolong it, so that it is over after a quarter of an hour;
and a new password by mail ends the lock of the name. Who signs in clears their own failures from there, no others.
"""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from django.conf import settings
from django.core.signing import Signer
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from accounts.models import Member

WIDE_LIMIT = 32
COOKIE = "known_browser"
COOKIE_SECONDS = 365 * 86_400


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # untyped
    """Goes by `AXES_LOCKOUT_PARAMETERS`: name with address, address, name."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Compared with `AXES_FAILURE_LIMIT`, the limit of a name from one address; it is reached by the others too."""
        here, *wide = (_failures(attempts) for attempts in self.get_user_attempts(request, credentials))
        if max(wide) >= WIDE_LIMIT and not _is_known(request, get_client_username(request, credentials)):
            return max(here, settings.AXES_FAILURE_LIMIT)
        return here

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        own, *_ = self.filter_user_attempts(request, credentials)
        return int(own.delete()[0])


def remember_browser(response: HttpResponse, member: Member) -> HttpResponse:
    """The member has signed in with this browser: its cookie says so, without naming them."""
    response.set_cookie(
        COOKIE,
        _signature(member.get_username()),
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _is_known(request: HttpRequest, username: str | None) -> bool:
    return constant_time_compare(request.COOKIES.get(COOKIE, ""), _signature(username or ""))


def _signature(username: str) -> str:
    return Signer(salt=__name__).signature(username)


def _failures(attempts: QuerySet[Any]) -> int:
    return int(attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0)
