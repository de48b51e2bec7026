"""Whose request is it, where a page of ours asks: the session of Django's cookie, as its middleware would find it.

The API stays off Django's middleware, so what that does for a page is done here: same origin, CSRF token, session,
member, second factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from accounts import second_factor
from accounts.models import Account, Member
from gateway.api.streaming import Exchange
from gateway.callers import Caller
from gateway.errors import ForeignPage, InvalidRequest, NotSignedIn

NOT_OURS = "This request does not come from a page of this gateway. Load the page again and try once more."
SIGN_IN = "You are not signed in any more. Load the page again and sign in."


def by_session(exchange: Exchange) -> partial[Caller]:
    """The caller is who is signed in. Raises `ForeignPage` where another site's page may have sent the request."""
    headers = exchange.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("The request body must be JSON, with 'Content-Type: application/json'.")
    site = headers.get("sec-fetch-site")
    if site not in (None, "same-origin") or (site is None and "origin" not in headers):
        raise ForeignPage(NOT_OURS)
    return partial(_caller, exchange.scope)


def _caller(scope: Mapping[str, Any]) -> Caller:
    request = ASGIRequest(dict(scope), BytesIO())
    _check_csrf(request)
    member = _member(request)
    return Caller(member_id=member.pk, key_id=None, account=Account.objects.filter(member=member).first())


def _check_csrf(request: HttpRequest) -> None:
    """The `Origin` header and the token, by Django's own rules."""
    check = CsrfViewMiddleware(_no_view)
    check.process_request(request)
    if check.process_view(request, _no_view, (), {}) is not None:
        raise ForeignPage(NOT_OURS)


def _no_view(request: HttpRequest) -> HttpResponse:
    """Stands where Django's middleware wants the view: the consumer answers."""
    return HttpResponse()


def _member(request: HttpRequest) -> Member:
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    member = auth.get_user(request)
    if not isinstance(member, Member) or not second_factor.is_satisfied(member, request.session):
        raise NotSignedIn(SIGN_IN)
    return member
