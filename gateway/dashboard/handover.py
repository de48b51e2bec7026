"""The window that the bookmarklet opens: it takes a token from the portal's page, and stores it once the member agrees.

It says `{type: "ready", nonce}` to the page that opened it, if that is the portal's, and takes one message from there,
with the same nonce. The nonce is signed for the session, and is good for ten minutes and one form; several windows may
be open at once. This page alone gives up the isolation from its opener: without that, no message could pass.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Account
from gateway.dashboard.bookmarklet import portal_origin
from gateway.dashboard.guard import member_of
from gateway.dashboard.noted import note
from gateway.errors import InvalidRequest
from gateway.models import Catalogue
from gateway.once import is_first
from tokens.forms import MAX_TOKEN_CHARACTERS
from tokens.models import UpstreamToken
from tokens.services import token_import, token_try
from tokens.wording import message_in_words

HANDED_OVER = gettext_noop("Handed a token over.")
NONCE_SECONDS = 600
LONGEST_TRIAL_SECONDS = 60


@sensitive_post_parameters()
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def handover(request: HttpRequest) -> HttpResponse:
    account = Account.objects.filter(member=member_of(request)).first()
    context: dict[str, Any] = {"account": account}
    if request.method != "POST":
        context |= {"nonce": _new_nonce(request), "portal": portal_origin()}
    elif account is not None:
        context |= _take(request, account)
    response = render(request, "dashboard/handover.html", context)
    response["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


@login_required
@never_cache
@require_safe
def trial(request: HttpRequest) -> HttpResponse:
    """What the school said to the token that was handed over; the page asks until something is known."""
    account = get_object_or_404(Account, member=member_of(request))
    return render(request, "dashboard/handover_trial.html", {"trial": _trial(account), "account": account})


def _take(request: HttpRequest, account: Account) -> dict[str, Any]:
    """Store the token that the form brings. The nonce is burnt, whatever comes of it."""
    if not _burn_nonce(request):
        return {"error": _("This page is too old, or was sent before. Press the bookmark on the portal again.")}
    try:
        token_import(account=account, pasted=_handed_over(request, account))
    except InvalidRequest as error:
        return {"error": message_in_words(error.message)}
    note(request, HANDED_OVER, account)
    token_try(account=account)
    return {"is_stored": True, "trial": "running"}


def _handed_over(request: HttpRequest, account: Account) -> dict[str, Any]:
    """The page's message, without what it may not say. Raises `InvalidRequest`."""
    text = request.POST.get("token", "")
    try:
        message = json.loads(text) if len(text) <= MAX_TOKEN_CHARACTERS else None
    except (json.JSONDecodeError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise InvalidRequest(_("The portal's page sent something that is no token. Press the bookmark again."))
    known = {name: message.get(name) for name in ("jm_token", "api_url", "user_agent")}
    known["cookies"] = _sendable(message.get("cookies"))
    # A page that has made no call yet shows no address; that of the token before is the best guess.
    known["api_url"] = known["api_url"] or _api_url_before(account)
    if not known["api_url"]:
        raise InvalidRequest(_("The portal's page has not called the school yet. Open a chat there and press again."))
    return known


def _sendable(cookies: Any) -> dict[str, str]:
    """The portal's page may have cookies that no header holds; the school's own are none of them."""
    pairs = cookies.items() if isinstance(cookies, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str) and f"{name}{value}".isascii()}


def _api_url_before(account: Account) -> str:
    token = UpstreamToken.objects.filter(account=account).first()
    return token.api_url if token else ""


def _trial(account: Account) -> str:
    """Taken, refused, running, or unknown where it takes too long."""
    token = UpstreamToken.objects.filter(account=account).first()
    if token is None or token.dead_at is not None:
        return "refused"
    if Catalogue.objects.filter(account=account, fetched_at__gt=token.captured_at).exists():
        return "taken"
    return "running" if time.time() - token.captured_at.timestamp() < LONGEST_TRIAL_SECONDS else "unknown"


def _new_nonce(request: HttpRequest) -> str:
    return signing.dumps(secrets.token_urlsafe(24), salt=_salt(request))


def _burn_nonce(request: HttpRequest) -> bool:
    """Whether the form's nonce is one of this session's, in its time, and comes for the first time."""
    try:
        number = signing.loads(request.POST.get("nonce", ""), salt=_salt(request), max_age=NONCE_SECONDS)
    except signing.BadSignature:
        return False
    return is_first(request, number)


def _salt(request: HttpRequest) -> str:
    return f"{__name__}.{request.session.session_key}"


urlpatterns: list[URLPattern] = [
    path("handover/", handover, name="handover"),
    path("handover/trial/", trial, name="handover_trial"),
]
