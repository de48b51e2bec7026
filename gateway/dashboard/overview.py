"""The first page: is my account healthy, what did I use."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from gateway.dashboard.fragments import signed_in
from gateway.dashboard.guard import member_of
from gateway.models import UsageRecord
from gateway.standing import standing_of
from gateway.usage import statistics
from gateway.usage.statistics import Span


@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    span = _span(request)
    usage = statistics.usage_over(span, zone=timezone.get_current_timezone(), member=member)
    context = {
        "standing": standing_of(member),
        "is_new": not UsageRecord.objects.filter(member=member).exists(),
        "has_key": member.api_keys.exists(),
        "span": span,
        "spans": Span,
        "usage": usage,
        "models": [(statistics.model_label(model), tally) for model, tally in usage.models.items()],
        "charts": statistics.charts(usage),
        "time_zone": timezone.get_current_timezone_name(),
    }
    return render(request, "dashboard/overview.html", context)


def _span(request: HttpRequest) -> Span:
    asked = request.GET.get("span", "")
    return Span(asked) if asked in Span.values else Span.DAY


@signed_in
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The account's health alone. The page asks again and again, and is left as it is while nothing has changed."""
    standing = standing_of(member_of(request))
    if request.GET.get("seen") == standing.mark:
        return HttpResponse(status=204)
    return render(request, "dashboard/overview_health.html", {"standing": standing})


urlpatterns = [
    path("", overview, name="overview"),
    path("health/", health, name="overview_health"),
]
