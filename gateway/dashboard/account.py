"""The member's XJTLU account: its health, its password, its logins, and the ways to log in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Account
from accounts.services import password_change
from gateway import web_address
from gateway.dashboard import handover
from gateway.dashboard.account_forms import XjtluPasswordForm
from gateway.dashboard.account_logins import logins_of, picture_of
from gateway.dashboard.bookmarklet import bookmarklet
from gateway.dashboard.guard import member_of
from gateway.dashboard.noted import note
from gateway.errors import AccountBlocked, AccountUnavailable, InvalidRequest, LoginLimitReached
from gateway.standing import standing_of
from tokens.forms import TokenForm
from tokens.limits import next_login_at
from tokens.live.asking import live_ask
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Trigger
from tokens.services import token_import, token_try
from tokens.wording import error_in_words, message_in_words

PASSWORD_CHANGED = gettext_noop("Changed the XJTLU password.")
LOGIN_STARTED = gettext_noop("Started a login.")
LIVE_OPENED = gettext_noop("Opened a live login.")
TOKEN_PASTED = gettext_noop("Pasted a token.")


@login_required
@never_cache
@require_safe
def account_page(request: HttpRequest) -> HttpResponse:
    return _page(request, TokenForm())


@login_required
@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    """A login in the background; the page shows its steps."""
    account = _own(request)
    if why_not := _ask_login(account):
        messages.error(request, why_not)
    else:
        note(request, LOGIN_STARTED, account)
    return redirect("dashboard:account")


@sensitive_post_parameters()
@login_required
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    account = _own(request)
    form = XjtluPasswordForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Type the XJTLU password."))
        return redirect("dashboard:account")
    password_change(
        account=account, xjtlu_password=form.cleaned_data["xjtlu_password"], not_before=next_login_at(account)
    )
    note(request, PASSWORD_CHANGED, account)
    if why_not := _ask_login(account):
        messages.info(request, _("The password is stored."))
        messages.error(request, why_not)
    else:
        messages.success(request, _("The password is stored. The login with it runs now."))
    return redirect("dashboard:account")


@sensitive_post_parameters()
@login_required
@never_cache
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    account = _own(request)
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            token_import(account=account, pasted=form.cleaned_data["token"])
        except InvalidRequest as error:
            form.add_error("token", message_in_words(error.message))
    if form.errors:
        return _page(request, form)
    note(request, TOKEN_PASTED, account)
    token_try(account=account)
    messages.success(request, _("The token is stored. Whether the school takes it is seen within seconds."))
    return redirect("dashboard:account")


@login_required
@require_POST
def live_open(request: HttpRequest) -> HttpResponse:
    account = _own(request)
    try:
        attempt = live_ask(account=account, web_url=web_address.for_workers())
    except (AccountBlocked, AccountUnavailable, LoginLimitReached) as error:
        messages.error(request, error_in_words(error))
        return redirect("dashboard:account")
    note(request, LIVE_OPENED, account)
    return redirect("dashboard:account_live", attempt.pk)


@login_required
@never_cache
@require_safe
def live(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The live view of a login, for the owner alone: staff has no page of another's Chrome."""
    attempt = get_object_or_404(LoginAttempt, pk=attempt_id, account=_own(request), live=True)
    if attempt.ended_at is not None:
        messages.info(request, _("This live login has ended."))
        return redirect("dashboard:account")
    context = {"account": attempt.account, "attempt": attempt, "section": "account"}
    return render(request, "dashboard/live.html", context)


@login_required
@never_cache
@require_safe
def picture(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The page on which a login failed, as PNG."""
    png = picture_of(_own(request), attempt_id)
    if png is None:
        raise Http404
    return HttpResponse(png, content_type="image/png")


def _page(request: HttpRequest, token_form: TokenForm) -> HttpResponse:
    account = Account.objects.filter(member=member_of(request)).first()
    context: dict[str, Any] = {"account": account, "standing": standing_of(member_of(request)), "section": "account"}
    if account is not None:
        latest, before = logins_of(account)
        context |= {
            "password_form": XjtluPasswordForm(),
            "token_form": token_form,
            "latest": latest,
            "logins": before,
            "live_login": LoginAttempt.objects.filter(account=account, live=True, ended_at=None).first(),
            "bookmarklet": bookmarklet(request),
        }
    return render(request, "dashboard/account.html", context)


def _own(request: HttpRequest) -> Account:
    return get_object_or_404(Account.objects.select_related("member"), member=member_of(request))


def _ask_login(account: Account) -> str:
    """Ask for a login in the background. Why that cannot be, in words; "" where it could."""
    try:
        login_ask(account=account, trigger=Trigger.PERSON, limited=True)
    except (AccountBlocked, AccountUnavailable, LoginLimitReached) as error:
        return error_in_words(error)
    return ""


urlpatterns: list[URLPattern] = [
    path("account/", account_page, name="account"),
    path("account/log-in/", log_in, name="account_log_in"),
    path("account/password/", password, name="account_password"),
    path("account/token/", token, name="account_token"),
    path("account/live/", live_open, name="account_live_open"),
    path("account/live/<uuid:attempt_id>/", live, name="account_live"),
    path("account/logins/<uuid:attempt_id>/picture/", picture, name="account_picture"),
    *handover.urlpatterns,
]
