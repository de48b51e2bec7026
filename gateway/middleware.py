"""What every page goes through besides Django's own middleware."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

Answer = Callable[[HttpRequest], HttpResponse]
NO_COPY = "no-store, private"
NOT_FOR_PAGES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone"),
    *("midi", "payment", "serial", "usb"),
)
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in NOT_FOR_PAGES)
"""No page of ours uses any of them, so none that is smuggled in may ask for one."""

TIME_ZONE_COOKIE = "time_zone"
LOOSER = {"/admin/": settings.ADMIN_POLICY, "/api/docs": settings.DOCS_POLICY}
"""By the start of their path: pages of the theme and of the API's reference, which cannot do with the strict policy."""


def looser_policy(get_response: Answer) -> Answer:
    """Loosen the Content-Security-Policy where others' pages need it, and nowhere else."""

    def policy(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for start, looser in LOOSER.items():
            if request.path.startswith(start):
                setattr(response, "_csp_update", looser)  # noqa: B010  django-csp reads it
        return response

    return policy


def permissions_policy(get_response: Answer) -> Answer:
    """Which of the machine's devices a page may use: none."""

    def policy(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response

    return policy


def no_copies(get_response: Answer) -> Answer:
    """What a signed-in person is shown is kept nowhere: else “Back” would show it after they have signed out."""

    def kept_out(request: HttpRequest) -> HttpResponse:
        is_signed_in = request.user.is_authenticated
        response = get_response(request)
        if (is_signed_in or request.user.is_authenticated) and "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = NO_COPY
        return response

    return kept_out


def member_time_zone(get_response: Answer) -> Answer:
    """Times are shown in the member's time zone: the chosen one, else the browser's, else the gateway's."""

    def zone(request: HttpRequest) -> HttpResponse:
        chosen = getattr(request.user, "time_zone", "") or request.COOKIES.get(TIME_ZONE_COOKIE, "")
        with timezone.override(_zone(chosen)):
            return get_response(request)

    return zone


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
