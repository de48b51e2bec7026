"""A new member's first minutes: the login before their eyes, the first key, shown once, beside their client's card."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.keys import KeyRefused, key_issue
from accounts.models import Account, ApiKey, Member
from gateway.dashboard.account_forms import XjtluPasswordForm
from gateway.dashboard.clients import NO_MODEL, Card, cards
from gateway.dashboard.guard import member_of
from gateway.dashboard.noted import note
from gateway.dashboard.offered import model_choices
from gateway.once import SENT_BEFORE, OnceField, is_first
from gateway.standing import standing_of

ISSUED = gettext_noop("Issued an API key.")


class FirstKeyForm(forms.Form):
    once = OnceField()
    client = forms.ChoiceField()

    def __init__(self, offered: list[Card], data: Any = None) -> None:
        super().__init__(data)
        self.fields["client"] = forms.ChoiceField(choices=[(card.slug, card.name) for card in offered])


@never_cache
@login_required
def welcome(request: HttpRequest) -> HttpResponse:
    """Who has no account of their own, such as an admin, has nothing to see here."""
    member = member_of(request)
    account = Account.objects.filter(member=member).first()
    if account is None:
        return redirect("dashboard:overview")
    model = _first_model(member)
    offered = cards(request, model)
    context = {
        "account": account,
        "standing": standing_of(member),
        "password_form": XjtluPasswordForm(),
        "no_model": "" if model else NO_MODEL,
        "cards": offered,
        "form": FirstKeyForm(offered),
        "has_key": ApiKey.objects.filter(member=member).exists(),
    }
    if request.method == "POST":
        form = FirstKeyForm(offered, request.POST)
        if not form.is_valid() or not is_first(request, form.cleaned_data["once"]):
            messages.info(request, SENT_BEFORE)
            return redirect("dashboard:keys")
        card = next(card for card in offered if card.slug == form.cleaned_data["client"])
        context |= {"card": card, "api_key": _issue(request, member, card)}
    return render(request, "dashboard/welcome.html", context)


@login_required
@never_cache
@require_safe
def first_model(request: HttpRequest) -> JsonResponse:
    """`{"model": id}`, for the card that was shown before the first login had ended; "" while none is known."""
    return JsonResponse({"model": _first_model(member_of(request))})


def _first_model(member: Member) -> str:
    return next((model for model, _label in model_choices(member)), "")


def _issue(request: HttpRequest, member: Member, card: Card) -> str:
    """The key's text; "" where the member may have no more keys, which is told in a message."""
    try:
        key, text = key_issue(member=member, name=card.name)
    except KeyRefused as refused:
        messages.error(request, str(refused))
        return ""
    note(request, ISSUED, key)
    return text


urlpatterns = [
    path("welcome/", welcome, name="welcome"),
    path("welcome/model/", first_model, name="welcome_model"),
]
