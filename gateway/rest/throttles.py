"""A loop in somebody's script must not hurt the others. Counted in each web process for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle, UserRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView


class MemberThrottle(UserRateThrottle):
    """Requests of one member, by session and keys together."""

    scope = "member"
    rate = "240/min"


class LoginThrottle(SimpleRateThrottle):
    """Logins of one account: each may type the password once more, and the school locks who types it too often."""

    scope = "login"
    rate = "6/hour"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return f"throttle_login_{view.kwargs['id']}"
