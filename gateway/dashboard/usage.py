"""The log of requests: filtered, exported, each with its timeline."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.models import ApiKey, Member
from gateway.dashboard.fragments import signed_in, wants_part
from gateway.dashboard.guard import member_of
from gateway.models import UsageRecord, UsageStatus
from gateway.usage import exports
from gateway.usage import log as usage_log
from gateway.usage.explanations import explain
from gateway.usage.log import Filters
from gateway.usage.timeline import timeline

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
BOUNDS = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2100, 1, 1)))
"""At either end of the calendar a time zone leads beyond it."""


class FilterForm(forms.Form):
    """The filters of the log, all optional. A value that makes no sense filters nothing, and is named."""

    key = forms.ModelChoiceField(ApiKey.objects.none(), required=False, label=_("API key"), empty_label=_("All keys"))
    model = forms.ChoiceField(required=False, label=_("Model"))
    status = forms.ChoiceField(required=False, label=_("Status"))
    since = forms.DateField(required=False, label=_("From"), widget=DAY, validators=BOUNDS)
    until = forms.DateField(required=False, label=_("To"), widget=DAY, validators=BOUNDS)
    request_id = forms.CharField(
        required=False, label=_("Request id"), widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"})
    )

    def __init__(self, data: Any, *, member: Member) -> None:
        super().__init__(data)
        self.fields["key"].queryset = ApiKey.objects.filter(member=member)  # type: ignore[attr-defined]
        models = [(model, model) for model in usage_log.models_used(member)]
        self.fields["model"].choices = [("", _("All models")), *models]  # type: ignore[attr-defined]
        self.fields["status"].choices = [("", _("All")), *UsageStatus.choices]  # type: ignore[attr-defined]

    def filters(self) -> Filters:
        self.is_valid()
        chosen = self.cleaned_data
        key: ApiKey | None = chosen.get("key")
        until: date | None = chosen.get("until")
        return Filters(
            key=key.pk if key else None,
            model=chosen.get("model") or "",
            status=chosen.get("status") or "",
            since=_midnight(chosen.get("since")),
            until=_midnight(until + timedelta(days=1) if until else None),
            request_id=(chosen.get("request_id") or "").strip(),
        )


def _midnight(day: date | None) -> datetime | None:
    """In the member's time zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone()) if day else None


def _own(request: HttpRequest) -> Any:
    return UsageRecord.objects.filter(member=member_of(request))


@signed_in
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET, member=member_of(request))
    filters = form.filters()
    page = usage_log.page(filters.applied(_own(request)), cursor=request.GET.get("at", ""))
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
    return exports.export(filters.applied(_own(request)), exports.Format(form))


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
