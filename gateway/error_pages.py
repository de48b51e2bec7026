"""The pages of errors. They ask nothing of the database and of no session: those may be what failed."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from gateway.errors import ForeignPage, GatewayError, InvalidRequest, UnknownRoute

API = "/api/"
ADMIN = "/admin/"
FOR_PROGRAMS = {
    400: InvalidRequest("The gateway cannot read this request, or is not known by the host name in its address."),
    403: ForeignPage("This request is not allowed."),
    404: UnknownRoute("There is nothing at this address. /api/docs/ lists those that there are."),
    500: GatewayError("The gateway failed in an unexpected way. Its log tells more."),
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, is_host_unknown=isinstance(exception, DisallowedHost))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500)


def _answer(request: HttpRequest, status: int, **context: object) -> HttpResponse:
    """Without the request, no context processor runs. Its language may not have been looked at yet."""
    if request.path.startswith(API):
        return JsonResponse(FOR_PROGRAMS[status].body(), status=status)
    is_admins = request.path.startswith(ADMIN)
    home = reverse("admin:index" if is_admins else "dashboard:overview")
    with translation.override(translation.get_language_from_request(request)):
        page = render_to_string(f"{status}.html", {"home": home, "is_admins": is_admins, **context})
    return HttpResponse(page, status=status)
