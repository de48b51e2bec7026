"""A loop in somebody's script must not hurt the others. Counted in each web process for itself."""

from __future__ import annotations

from rest_framework.throttling import UserRateThrottle


class MemberThrottle(UserRateThrottle):
    """Requests of one member, by session and keys together."""

    scope = "member"
    rate = "240/min"
