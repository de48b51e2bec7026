"""The member's API keys: list, create, change, rotate, revoke, and each key's own page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import audit
from accounts.keys import KeyRefused, key_change, key_issue, key_revoke, key_rotate
from accounts.models import ApiKey
from gateway.dashboard.clients import cards, chosen_client
from gateway.dashboard.guard import member_of
from gateway.dashboard.key_forms import KeyChangeForm, KeyForm, RotateForm
from gateway.dashboard.key_rows import row_of, rows_of
from gateway.dashboard.noted import note
from gateway.dashboard.offered import model_choices, offer_of
from gateway.once import SENT_BEFORE, is_first
from gateway.usage import statistics
from gateway.usage.statistics import Span

ISSUED = gettext_noop("Issued.")
CHANGED = gettext_noop("Changed.")
ROTATED = gettext_noop("Rotated.")
REVOKED = gettext_noop("Revoked.")


@login_required
@require_safe
def key_list(request: HttpRequest) -> HttpResponse:
    live, gone = rows_of(member_of(request))
    return render(request, "dashboard/keys.html", {"live": live, "gone": gone})


@login_required
@never_cache
def key_new(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    form = KeyForm(request.POST or None, models=model_choices(member))
    if request.method != "POST" or not form.is_valid():
        return render(request, "dashboard/key_new.html", {"form": form, "section": "keys"})
    if not is_first(request, form.cleaned_data["once"]):
        return _sent_before(request)
    try:
        key, text = key_issue(
            member=member, name=form.cleaned_data["name"], expires_at=form.expires_at, **form.settings
        )
    except KeyRefused as error:
        form.add_error(None, str(error))
        return render(request, "dashboard/key_new.html", {"form": form, "section": "keys"})
    note(request, ISSUED, key)
    return _shown_once(request, key, text)


@login_required
@require_safe
def key_page(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own(request, pk)
    chosen = request.GET.get("span", "")
    span = Span(chosen) if chosen in Span.values else Span.WEEK
    usage = statistics.usage_over(span, zone=timezone.get_current_timezone(), api_key=key)
    context = {"row": row_of(key), "span": span, "spans": Span.choices, "usage": usage, "section": "keys"}
    return render(request, "dashboard/key_page.html", context | {"charts": statistics.charts(usage, prefix="key")})


@login_required
@never_cache
def key_edit(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own(request, pk)
    if key.revoked_at is not None:
        messages.error(request, _("This key was revoked: there is nothing left to change."))
        return redirect("dashboard:key", key.pk)
    form = KeyChangeForm(request.POST or None, key=key, models=model_choices(member_of(request)))
    if request.method != "POST" or not form.is_valid():
        return render(request, "dashboard/key_edit.html", {"form": form, "key": key, "section": "keys"})
    told = audit.changes_of(key, {**form.cleaned_data, "expires_at": form.expires_at, **form.settings})
    key_change(key=key, name=form.cleaned_data["name"], expires_at=form.expires_at, **form.settings)
    note(request, CHANGED, key, told)
    messages.success(request, _("The key was changed. The next request with it finds the new settings."))
    return redirect("dashboard:key", key.pk)


@login_required
@never_cache
def key_rotation(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own(request, pk)
    row = row_of(key)
    form = RotateForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "dashboard/key_rotate.html", {"form": form, "row": row, "section": "keys"})
    if not is_first(request, form.cleaned_data["once"]):
        return _sent_before(request)
    try:
        new, text = key_rotate(key=key, grace=form.duration)
    except KeyRefused as error:
        messages.error(request, str(error))
        return redirect("dashboard:key", key.pk)
    note(request, ROTATED, key)
    key.refresh_from_db()
    return _shown_once(request, new, text, replaced=key)


@login_required
@never_cache
def key_revocation(request: HttpRequest, pk: int) -> HttpResponse:
    key = _own(request, pk)
    if request.method != "POST":
        return render(request, "dashboard/key_revoke.html", {"row": row_of(key), "section": "keys"})
    if key.revoked_at is None:
        key_revoke(key=key)
        note(request, REVOKED, key)
    messages.success(request, _("The key “%(name)s” was revoked: it opens nothing any more.") % {"name": key.name})
    return redirect("dashboard:keys")


def _own(request: HttpRequest, pk: int) -> ApiKey:
    """Somebody else's key is as unknown as one that does not exist."""
    return get_object_or_404(ApiKey, pk=pk, member=member_of(request))


def _shown_once(request: HttpRequest, key: ApiKey, text: str, **more: Any) -> HttpResponse:
    offer = offer_of(member_of(request))
    model = next(iter(key.allowed_models), "") or (offer.models[0].id if offer and offer.models else "")
    shown = cards(request, model)
    context = {"key": key, "api_key": text, "cards": shown, "client": chosen_client(shown), "model": model}
    return render(request, "dashboard/key_created.html", {**context, "section": "keys", **more})


def _sent_before(request: HttpRequest) -> HttpResponse:
    messages.warning(request, SENT_BEFORE)
    return redirect("dashboard:keys")


urlpatterns: list[URLPattern] = [
    path("keys/", key_list, name="keys"),
    path("keys/new/", key_new, name="key_new"),
    path("keys/<int:pk>/", key_page, name="key"),
    path("keys/<int:pk>/edit/", key_edit, name="key_edit"),
    path("keys/<int:pk>/rotate/", key_rotation, name="key_rotate"),
    path("keys/<int:pk>/revoke/", key_revocation, name="key_revoke"),
]
