"""Usage as charts on admin pages, over a time that the reader chooses by `?span=`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from accounts.models import ApiKey
from gateway.usage import statistics
from gateway.usage.statistics import Span

PARAMETER = "span"


def span_of(request: HttpRequest) -> Span:
    """What the address names; else the last 24 hours."""
    chosen = request.GET.get(PARAMETER, "")
    return Span(chosen) if chosen in Span.values else Span.DAY


def usage_context(request: HttpRequest, *, api_key: ApiKey | None = None) -> dict[str, Any]:
    """For templates/admin/usage.html: the sums, their charts, and the times to choose from."""
    span = span_of(request)
    usage = statistics.usage_over(span, zone=timezone.get_current_timezone(), api_key=api_key)
    return {"usage": usage, "charts": statistics.charts(usage), "span": span, "spans": list(Span)}
