"""The log of requests: filtered, exported, each with its timeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from accounts.keys import CHECKS
from accounts.models import Member
from gateway.dashboard.fragments import signed_in, wants_part
from gateway.dashboard.guard import member_of
from gateway.dashboard.key_rows import CONNECTION_CHECKS
from gateway.models import UsageRecord, UsageStatus
from gateway.usage import exports
from gateway.usage import log as usage_log
from gateway.usage.explanations import explain
from gateway.usage.log import Filters
from gateway.usage.timeline import timeline

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
BOUNDS = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2100, 1, 1)))
"""At either end of the calendar a time zone leads beyond it."""
PLAYGROUND = "playground"
"""In place of a key: its requests have none."""


class FilterForm(forms.Form):
    """The filters of the log, all optional. Where one of them makes no sense, there is nothing to show."""

    key = forms.ChoiceField(required=False, label=_("API key"))
    model = forms.ChoiceField(required=False, label=_("Model"))
    status = forms.ChoiceField(required=False, label=_("Status"))
    since = forms.DateField(required=False, label=pgettext_lazy("day", "From"), widget=DAY, validators=BOUNDS)
    until = forms.DateField(required=False, label=pgettext_lazy("day", "To"), widget=DAY, validators=BOUNDS)
    request_id = forms.CharField(
        required=False, label=_("Request id"), widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"})
    )

    def __init__(self, data: Any, *, member: Member) -> None:
        super().__init__(data)
        self._checks = list(member.api_keys.filter(CHECKS).values_list("pk", flat=True))
        self.fields["key"].choices = self._key_choices(member)  # type: ignore[attr-defined]
        models = [(model, model) for model in usage_log.models_used(member)]
        self.fields["model"].choices = [("", _("All models")), *models]  # type: ignore[attr-defined]
        self.fields["status"].choices = [("", _("All")), *UsageStatus.choices]  # type: ignore[attr-defined]

    def _key_choices(self, member: Member) -> Iterator[tuple[str, str | Promise]]:
        yield "", _("All keys")
        for key in member.api_keys.exclude(CHECKS):
            yield str(key.pk), str(key)
        yield PLAYGROUND, _("Playground")
        if self._checks:
            yield CONNECTION_CHECKS, _("Connection checks")

    def clean(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        since, until = chosen.get("since"), chosen.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day lies before the one in “From”."))
        return chosen

    def filters(self) -> Filters | None:
        """None where one of them makes no sense."""
        if not self.is_valid():
            return None
        chosen = self.cleaned_data
        until: date | None = chosen["until"]
        return Filters(
            **self._keys(chosen["key"]),
            model=chosen["model"],
            status=chosen["status"],
            since=_midnight(chosen["since"]),
            until=_midnight(until + timedelta(days=1) if until else None),
            request_id=chosen["request_id"].strip(),
        )

    def _keys(self, chosen: str) -> dict[str, Any]:
        sources: dict[str, dict[str, Any]] = {
            "": {},
            PLAYGROUND: {"without_key": True},
            CONNECTION_CHECKS: {"keys": self._checks},
        }
        return sources[chosen] if chosen in sources else {"key": int(chosen)}


def _midnight(day: date | None) -> datetime | None:
    """In the member's time zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone()) if day else None


def _own(request: HttpRequest) -> Any:
    return UsageRecord.objects.filter(member=member_of(request))


def _found(request: HttpRequest, filters: Filters | None) -> Any:
    """The member's records that fit; none where a filter makes no sense."""
    if filters is None:
        return UsageRecord.objects.none()
    # The keys are the member's own. Asked for the member as well, SQLite goes through all of the member's records.
    return filters.applied(UsageRecord.objects.all() if filters.keys else _own(request))


@signed_in
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET, member=member_of(request))
    filters = form.filters()
    page = usage_log.page(_found(request, filters), cursor=request.GET.get("at", ""))
    asked = request.GET.copy()
    asked.pop("at", None)
    context = {"form": form, "page": page, "query": asked.urlencode(), "is_filtered": filters != Filters()}
    template = "dashboard/usage_rows.html" if wants_part(request) else "dashboard/usage.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@require_safe
def export(request: HttpRequest, form: str) -> StreamingHttpResponse:
    filters = FilterForm(request.GET, member=member_of(request)).filters()
    if filters is None:
        raise BadRequest
    return exports.export(_found(request, filters), exports.Format(form))


@login_required
@require_safe
def record(request: HttpRequest, request_id: str) -> HttpResponse:
    if not request_id.isprintable():
        raise Http404
    found = get_object_or_404(_own(request).select_related("api_key"), request_id=request_id)
    context = {"record": found, "stages": timeline(found), "explanation": explain(found), "section": "usage"}
    return render(request, "dashboard/usage_record.html", context)


urlpatterns = [
    path("usage/", log, name="usage"),
    path("usage/export.csv", export, {"form": exports.Format.CSV.value}, name="usage_csv"),
    path("usage/export.jsonl", export, {"form": exports.Format.JSONL.value}, name="usage_jsonl"),
    path("usage/<str:request_id>/", record, name="usage_record"),
]
