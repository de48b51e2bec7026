"""Who may open a WebSocket: whose session it is, which page opened it, and whose login it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain
from django.utils.translation import get_language_from_request

from accounts import second_factor
from accounts.models import Account, Member
from tokens.models import LoginAttempt

Scope = Mapping[str, Any]


def is_from_our_pages(scope: Scope) -> bool:
    """Whether one of our own pages opens the socket. A browser sends its cookies whoever asks, but tells who asks."""
    headers = _headers(scope)
    origin = urlsplit(headers.get("origin", ""))
    host = headers.get("host", "").lower()
    if not origin.netloc or origin.scheme not in ("http", "https"):
        return False
    if _is_trusted(origin.scheme, origin.netloc.lower()):
        return True
    allowed = validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
    return allowed and origin.netloc.lower() == host and (origin.scheme == "https" or not settings.HTTPS)


def _is_trusted(scheme: str, host: str) -> bool:
    trusted = (urlsplit(each) for each in settings.CSRF_TRUSTED_ORIGINS)
    return any(each.scheme == scheme and is_same_domain(host, each.netloc.lstrip("*").lower()) for each in trusted)


def language_of(scope: Scope) -> str:
    """The reader's language, as the pages choose it."""
    request = HttpRequest()
    request.COOKIES = dict(scope["cookies"])
    request.META["HTTP_ACCEPT_LANGUAGE"] = _headers(scope).get("accept-language", "")
    return get_language_from_request(request)


def has_second_factor(scope: Scope) -> bool:
    """Whether the session has given the second factor that it owes."""
    return second_factor.is_satisfied(scope["user"], scope["session"])


def member_now(scope: Scope) -> Member | None:
    """Whose session it is, read anew: None once they have signed out, have another password, are inactive, or owe a
    second factor.
    """
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    member = auth.get_user(request)
    if not isinstance(member, Member) or not second_factor.is_satisfied(member, request.session):
        return None
    return member


def may_watch(member: Member, account_id: UUID) -> bool:
    """The steps of an account's logins: for its owner, and for staff who may see logins."""
    sees_all = member.is_staff and member.has_perm("tokens.view_loginattempt")
    return sees_all or Account.objects.filter(pk=account_id, member=member).exists()


def may_act(member: Member, attempt_id: UUID) -> bool:
    """The Chrome of a live login that goes on: for the account's owner, not even for staff."""
    mine = LoginAttempt.objects.filter(pk=attempt_id, live=True, ended_at=None, account__member=member)
    return mine.filter(account__member__leaving_at=None).exists()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin1").lower(): value.decode("latin1") for name, value in scope["headers"]}
