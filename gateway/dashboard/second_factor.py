"""The second factor's pages: giving it, setting it up, new recovery codes, turning it off."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import django_otp
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import path
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import SecondFactor
from accounts.second_factor import (
    TryLater,
    WrongCode,
    factor_of,
    is_demanded,
    is_satisfied,
    recovery_codes_renew,
    second_factor_begin,
    second_factor_confirm,
    second_factor_remove,
    second_factor_verify,
    secret_of,
    set_up_address,
    unused_recovery_codes,
)
from gateway.dashboard.guard import member_of
from gateway.dashboard.noted import note
from gateway.dashboard.passwords import check_password
from gateway.dashboard.qr import qr_svg

FEW_CODES = 3
APP_CODE = re.compile(r"\s*\d{3}\s?\d{3}\s*")


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )


class AppCodeForm(CodeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric"}


class ProofForm(forms.Form):
    proof = forms.CharField(
        label=gettext_lazy("Code of your app, or your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


@never_cache
@login_required
def ask(request: HttpRequest) -> HttpResponse:
    """The step after the password."""
    member = member_of(request)
    factor = factor_of(member)
    if factor is None or is_satisfied(member, request.session):
        return HttpResponseRedirect(_next(request))
    form = CodeForm(request.POST or None)
    if form.is_valid() and _takes(form, "code", lambda code: second_factor_verify(factor=factor, code=code)):
        _let_in(request, factor)
        _warn_of_few_codes(request, factor)
        return HttpResponseRedirect(_next(request))
    return render(request, "dashboard/second_factor.html", {"form": form, "next": _next(request)})


@never_cache
@login_required
def set_up(request: HttpRequest) -> HttpResponse:
    """Scan, type a code, see the recovery codes."""
    member = member_of(request)
    factor = second_factor_begin(member=member)
    if factor.confirmed:
        return HttpResponseRedirect(_next(request, "dashboard:settings"))
    form = AppCodeForm(request.POST or None)
    codes: list[str] = []
    if form.is_valid() and _takes(
        form, "code", lambda code: codes.extend(second_factor_confirm(factor=factor, code=code))
    ):
        _let_in(request, factor)
        note(request, gettext_noop("Turned the second factor on."), member_of(request))
        return _codes_page(request, codes, after=_next(request, "dashboard:settings"))
    return render(request, "dashboard/second_factor_set_up.html", _set_up_context(request, factor, form))


@sensitive_post_parameters()
@never_cache
@login_required
def new_codes(request: HttpRequest) -> HttpResponse:
    """Ten new recovery codes in place of those from before."""
    factor = factor_of(member_of(request))
    if factor is None:
        return redirect("dashboard:settings")
    form = ProofForm(request.POST or None)
    if form.is_valid() and _is_proven(request, form, factor):
        note(request, gettext_noop("Made new recovery codes."), member_of(request))
        return _codes_page(request, recovery_codes_renew(factor=factor), after=resolve_url("dashboard:settings"))
    return render(request, "dashboard/second_factor_new_codes.html", {"form": form})


@sensitive_post_parameters()
@never_cache
@login_required
def turn_off(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    factor = factor_of(member)
    if factor is None:
        return redirect("dashboard:settings")
    form = ProofForm(request.POST or None)
    if form.is_valid() and _is_proven(request, form, factor):
        second_factor_remove(member=member)
        note(request, gettext_noop("Turned the second factor off."), member_of(request))
        messages.success(request, _("The second factor is off. Your password alone signs you in."))
        return redirect("dashboard:settings")
    context = {"form": form, "is_demanded": is_demanded(member)}
    return render(request, "dashboard/second_factor_off.html", context)


def _takes(form: forms.Form, field: str, take: Any) -> bool:
    """Whether the code is taken; else the form says why not."""
    try:
        take(form.cleaned_data[field])
    except TryLater as later:
        form.add_error(field, _wait(math.ceil((later.at - timezone.now()).total_seconds())))
    except WrongCode:
        form.add_error(field, _("This code is not right, or was used before. Wait for the app's next one."))
    return not form.errors


def _wait(seconds: int) -> str:
    if seconds <= 60:
        text = ngettext(
            "There were wrong codes before. Wait %(n)d second, then type the app's newest code.",
            "There were wrong codes before. Wait %(n)d seconds, then type the app's newest code.",
            max(seconds, 1),
        )
        return text % {"n": max(seconds, 1)}
    minutes = math.ceil(seconds / 60)
    text = ngettext(
        "There were many wrong codes before. Wait %(n)d minute, then type the app's newest code.",
        "There were many wrong codes before. Wait %(n)d minutes, then type the app's newest code.",
        minutes,
    )
    return text % {"n": minutes}


def _is_proven(request: HttpRequest, form: ProofForm, factor: SecondFactor) -> bool:
    """A code of the app or the password: who lost the phone while signed in still gets out."""
    proof = form.cleaned_data["proof"]
    if APP_CODE.fullmatch(proof):
        return _takes(form, "proof", lambda code: second_factor_verify(factor=factor, code=code))
    try:
        check_password(request, proof)
    except ValidationError as error:
        form.add_error("proof", error)
    return not form.errors


def _let_in(request: HttpRequest, factor: SecondFactor) -> None:
    """From here on the session is fully signed in; it gets a new key, as after the password."""
    request.session.cycle_key()
    django_otp.login(request, factor)


def _warn_of_few_codes(request: HttpRequest, factor: SecondFactor) -> None:
    left = unused_recovery_codes(factor)
    if left < FEW_CODES:
        text = ngettext(
            "You have %(n)d recovery code left. Make new ones in the settings.",
            "You have %(n)d recovery codes left. Make new ones in the settings.",
            left,
        )
        messages.warning(request, text % {"n": left})


def _set_up_context(request: HttpRequest, factor: SecondFactor, form: forms.Form) -> dict[str, Any]:
    secret, address = secret_of(factor), set_up_address(factor)
    return {
        "form": form,
        "next": _next(request, "dashboard:settings"),
        "is_demanded": is_demanded(member_of(request)),
        "qr": qr_svg(address, _("QR code for your authenticator app")),
        "address": address,
        "secret": secret,
        "secret_in_groups": [secret[at : at + 4] for at in range(0, len(secret), 4)],
    }


def _codes_page(request: HttpRequest, codes: Sequence[str], *, after: str) -> HttpResponse:
    return render(request, "dashboard/second_factor_codes.html", {"codes": codes, "after": after})


def _next(request: HttpRequest, otherwise: str = "") -> str:
    """Where the member wanted to go, if that is a page of ours."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else resolve_url(otherwise or settings.LOGIN_REDIRECT_URL)


urlpatterns = [
    path("second-factor/", ask, name="second_factor"),
    path("second-factor/set-up/", set_up, name="second_factor_set_up"),
    path("second-factor/recovery-codes/", new_codes, name="second_factor_new_codes"),
    path("second-factor/off/", turn_off, name="second_factor_off"),
]
