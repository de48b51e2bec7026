"""Invitations, the first admin, and a new member's first minutes.

A link's address is left as soon as it is opened: the session remembers which link it was, so that its secret stays out
of the history, of the addresses that Django logs, and of what django-axes writes down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.invitations import (
    InvitationGone,
    first_admin_make,
    invitation_accept,
    invitation_find,
    is_open,
    needs_first_admin,
)
from accounts.models import Account, Invitation, LoginBlock, Member
from gateway.dashboard import welcome
from gateway.dashboard.noted import note
from gateway.dashboard.passwords import NEW_PASSWORD_HELP, NewPasswordForm
from gateway.dashboard.sign_in_lock import remember_browser
from gateway.errors import GatewayError
from tokens.logins import login_ask
from tokens.models import Trigger
from tokens.wording import message_in_words

OPENED = "invitation"
BACKEND = f"{ModelBackend.__module__}.{ModelBackend.__qualname__}"


class InvitationForm(NewPasswordForm):
    """A password for the gateway and, unless a good one is stored, the XJTLU password."""

    xjtlu_password = forms.CharField(
        label=gettext_lazy("XJTLU password"),
        strip=False,
        required=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            "The gateway logs you in at the school with it. It is stored encrypted and shown to nobody. Leave it empty "
            "if you would rather hand over a token from your own browser later."
        ),
    )

    def __init__(self, member: Member, account: Account | None, *args: Any) -> None:
        super().__init__(member, *args)
        if account is None or (account.has_password and account.login_block != LoginBlock.WRONG_PASSWORD):
            del self.fields["xjtlu_password"]
        elif account.has_password:
            self.fields["xjtlu_password"].label = _("XJTLU password (the school refused the stored one)")


if TYPE_CHECKING:
    MemberForm = forms.ModelForm[Member]
else:
    MemberForm = forms.ModelForm


class FirstAdminForm(MemberForm):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=NEW_PASSWORD_HELP,
    )
    again = forms.CharField(
        label=gettext_lazy("The same once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Member
        fields = ("username", "email")
        labels = {"username": pgettext_lazy("of a member", "Name"), "email": gettext_lazy("E-mail")}  # noqa: RUF012
        help_texts = {"username": gettext_lazy("With it you sign in: letters, digits and @ . + - _")}  # noqa: RUF012

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        password = data.get("password", "")
        if password and data.get("again") and password != data["again"]:
            self.add_error("again", _("The two passwords differ."))
        try:
            validate_password(password, Member(username=data.get("username", ""), email=data.get("email", "")))
        except ValidationError as error:
            self.add_error("password", error)
        return data


# Opening a link


@never_cache
def open_invitation(request: HttpRequest, secret: str) -> HttpResponse:
    return _open(request, secret, for_admin=False, then="dashboard:invitation_accept")


@never_cache
def open_first_admin(request: HttpRequest, secret: str) -> HttpResponse:
    return _open(request, secret, for_admin=True, then="dashboard:first_admin_make")


def _open(request: HttpRequest, secret: str, *, for_admin: bool, then: str) -> HttpResponse:
    invitation = invitation_find(secret)
    if invitation is None or (invitation.member is None) is not for_admin:
        answer = _gone(request, None, for_admin=for_admin)
    elif not is_open(invitation):
        answer = _gone(request, invitation, for_admin=for_admin)
    else:
        request.session[OPENED] = invitation.pk
        answer = redirect(then)
    # Not on the pages with forms: a browser that is told to send no referrer sends `Origin: null` too, which Django
    # refuses; their addresses hold no secret.
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _opened(request: HttpRequest, *, for_admin: bool) -> Invitation | None:
    """The link that this browser has opened, while it can still be used."""
    opened = Invitation.objects.select_related("member").filter(pk=request.session.get(OPENED, 0)).first()
    if opened is None or (opened.member is None) is not for_admin:
        return None
    return opened if is_open(opened) else None


def _gone(request: HttpRequest, invitation: Invitation | None, *, for_admin: bool = False) -> HttpResponse:
    """404 for a link that leads nowhere, 410 for one that did."""
    context = {
        "for_admin": for_admin,
        "has_admin": not needs_first_admin(),
        "was_used": invitation is not None and invitation.used_at is not None,
    }
    status = 404 if invitation is None else 410
    return render(request, "dashboard/invitation_gone.html", context, status=status)


# Using it


@sensitive_post_parameters()
@never_cache
def accept(request: HttpRequest) -> HttpResponse:
    """Choose a password, and be signed in."""
    invitation = _opened(request, for_admin=False)
    if invitation is None or invitation.member is None:
        return _gone(request, None)
    account = Account.objects.filter(member=invitation.member).first()
    form = InvitationForm(invitation.member, account, request.POST or None)
    if form.is_valid():
        return _accepted(request, invitation, form.cleaned_data)
    context = {"form": form, "member": invitation.member, "account": account}
    return render(request, "dashboard/invitation.html", context)


def _accepted(request: HttpRequest, invitation: Invitation, data: dict[str, Any]) -> HttpResponse:
    xjtlu_password = data.get("xjtlu_password", "")
    try:
        member = invitation_accept(invitation=invitation, password=data["new_password1"], xjtlu_password=xjtlu_password)
    except InvitationGone:
        return _gone(request, invitation)
    _sign_in(request, member, gettext_noop("Accepted an invitation."))
    if xjtlu_password:
        _start_login(request, member.account)
    return remember_browser(redirect("dashboard:welcome"), member)


def _start_login(request: HttpRequest, account: Account) -> None:
    try:
        login_ask(account=account, trigger=Trigger.PERSON)
    except GatewayError as error:
        messages.warning(request, message_in_words(error.message))


@sensitive_post_parameters()
@never_cache
def make_first_admin(request: HttpRequest) -> HttpResponse:
    """Choose name and password, and be led to the administration."""
    invitation = _opened(request, for_admin=True)
    if invitation is None:
        return _gone(request, None, for_admin=True)
    form = FirstAdminForm(request.POST or None)
    if not form.is_valid():
        return render(request, "dashboard/first_admin.html", {"form": form})
    data = form.cleaned_data
    try:
        admin = first_admin_make(
            invitation=invitation, name=data["username"], email=data["email"], password=data["password"]
        )
    except InvitationGone:
        return _gone(request, invitation, for_admin=True)
    _sign_in(request, admin, gettext_noop("Became the first admin."))
    return remember_browser(redirect("admin:index"), admin)


def _sign_in(request: HttpRequest, member: Member, action: str) -> None:
    request.session.pop(OPENED, None)
    login(request, member, backend=BACKEND)
    note(request, action, member)


urlpatterns = [
    path("invitation/", accept, name="invitation_accept"),
    path("invitation/<str:secret>/", open_invitation, name="invitation"),
    path("first-admin/", make_first_admin, name="first_admin_make"),
    path("first-admin/<str:secret>/", open_first_admin, name="first_admin"),
    *welcome.urlpatterns,
]
