"""What a member sets for themselves: name, time zone, e-mail, password; and the way to the second factor."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import Member
from accounts.second_factor import factor_of, unused_recovery_codes
from gateway import mail
from gateway.dashboard.guard import member_of
from gateway.dashboard.noted import note
from gateway.dashboard.passwords import NewPasswordForm, check_password, password_field

BROWSERS = "browser"
"""Chosen in place of a time zone: what the browser says."""

REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


class ProfileForm(forms.Form):
    noted = gettext_noop("Changed own profile.")
    said = gettext_lazy("Saved.")

    display_name = forms.CharField(
        label=gettext_lazy("Display name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=gettext_lazy("How mails address you. You sign in with your user name."),
    )

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        self.member = member_of(request)
        zone = self.member.time_zone or BROWSERS
        super().__init__(data, initial={"display_name": self.member.first_name, "time_zone": zone})
        self.fields["time_zone"] = forms.ChoiceField(
            label=gettext_lazy("Time zone"),
            choices=_zones(self.member.time_zone),
            help_text=_("Times and days on your pages. It is %(now)s here now.")
            % {"now": timezone.localtime().strftime("%H:%M")},
        )

    def save(self) -> None:
        self.member.first_name = self.cleaned_data["display_name"]
        zone = self.cleaned_data["time_zone"]
        self.member.time_zone = "" if zone == BROWSERS else zone
        self.member.save(update_fields=["first_name", "time_zone"])


class EmailForm(forms.Form):
    """Asks for the password, since a new password can be had by mail."""

    noted = gettext_noop("Changed own e-mail address.")
    said = gettext_lazy("Saved.")

    email = forms.EmailField(
        label=gettext_lazy("E-mail"), required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    password = password_field()

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        self.request, self.member = request, member_of(request)
        super().__init__(data, initial={"email": self.member.email})

    def clean_password(self) -> str:
        check_password(self.request, self.cleaned_data["password"])
        return ""

    def save(self) -> None:
        self.member.email = self.cleaned_data["email"]
        self.member.save(update_fields=["email"])


class PasswordForm(NewPasswordForm):
    noted = gettext_noop("Changed own password.")
    said = gettext_lazy("Your password is changed. Other browsers in which you were signed in are signed out.")

    old_password = password_field()
    field_order = ("old_password", "new_password1", "new_password2")

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        self.request = request
        super().__init__(member_of(request), data)

    def clean_old_password(self) -> str:
        check_password(self.request, self.cleaned_data["old_password"])
        return ""

    def save(self, commit: bool = True) -> Member:
        member = super().save(commit)
        update_session_auth_hash(self.request, member)
        return member


FORMS = {"profile": ProfileForm, "email": EmailForm, "password": PasswordForm}


@sensitive_post_parameters()
@never_cache
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """One page, a form for each matter; the field `form` says which one is sent."""
    forms_shown: dict[str, Any] = {name: kind(request) for name, kind in FORMS.items()}
    sent = request.POST.get("form", "")
    if sent in FORMS:
        form: Any = FORMS[sent](request, request.POST)
        if form.is_valid():
            return _save(request, form)
        forms_shown[sent] = form
    return render(request, "dashboard/settings.html", {**forms_shown, **_second_factor(request)})


def _save(request: HttpRequest, form: Any) -> HttpResponse:
    form.save()
    note(request, form.noted, member_of(request))
    messages.success(request, str(form.said))
    return redirect("dashboard:settings")


def _second_factor(request: HttpRequest) -> dict[str, Any]:
    factor = factor_of(member_of(request))
    return {
        "has_mail": mail.is_configured(),
        "factor": factor,
        "codes_left": unused_recovery_codes(factor) if factor else 0,
    }


def _zones(current: str) -> list[tuple[str, Any]]:
    """Time zones by region, as a select shows them."""
    names = _zone_names()
    groups = [(region, [(n, _city(n)) for n in names if n.startswith(f"{region}/")]) for region in REGIONS]
    kept = [(current, current)] if current and current not in names else []
    return [(BROWSERS, _("As the browser says")), ("UTC", "UTC"), *kept, *groups]


@cache
def _zone_names() -> list[str]:
    """Looked up once: the system keeps a file for each."""
    return sorted(name for name in available_timezones() if name.partition("/")[0] in REGIONS)


def _city(name: str) -> str:
    return name.partition("/")[2].replace("_", " ")


urlpatterns = [path("settings/", preferences, name="settings")]
