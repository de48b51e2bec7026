"""Who is signed in by password alone gets no further than the second factor, where one is set up or demanded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Member
from accounts.second_factor import factor_of, is_satisfied

SIGNING_IN = {
    "dashboard:sign_in",
    "dashboard:sign_out",
    "dashboard:language",
    "dashboard:second_factor",
    "dashboard:password_reset",
    "dashboard:password_reset_sent",
    "dashboard:password_reset_confirm",
    "dashboard:password_reset_done",
    "dashboard:invitation",
    "dashboard:invitation_accept",
    "dashboard:first_admin",
    "dashboard:first_admin_make",
}
"""Pages that ask nothing of who is signed in, or by which the second factor is given."""

SET_UP = "dashboard:second_factor_set_up"
API = "api"
DOCS = {"api:docs", "api:schema"}
"""Of the management API, these are pages; the rest asks for the second factor itself and answers in its own shape."""


def member_of(request: HttpRequest) -> Member:
    """Who is signed in, behind `login_required`."""
    member = request.user
    assert isinstance(member, Member)
    return member


class SecondFactorGuard:
    """Stands after Django's authentication and django-otp's middleware. The API under /v1 has keys and no sessions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        """Called when the page is known: None lets it through."""
        page = request.resolver_match.view_name if request.resolver_match else ""
        if page.startswith(f"{API}:") and page not in DOCS:
            return None
        if page in SIGNING_IN or not request.user.is_authenticated or is_satisfied(request.user, request.session):
            return None
        if page == SET_UP and factor_of(request.user) is None:
            return None
        return _first_the_factor(request)


def _first_the_factor(request: HttpRequest) -> HttpResponse:
    has_one = factor_of(request.user) is not None
    url = reverse("dashboard:second_factor" if has_one else SET_UP)
    htmx: Any = getattr(request, "htmx", False)
    if htmx:
        return HttpResponseClientRedirect(url)
    after = request.get_full_path() if request.method == "GET" else reverse("dashboard:overview")
    return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: after})}")
