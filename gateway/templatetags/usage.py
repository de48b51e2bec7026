"""Template tags of usage records."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.keys import CHECK_NAME
from gateway import formats
from gateway.charts import Chart
from gateway.formats import Tone
from gateway.models import TokenSource, UsageRecord, UsageStatus
from gateway.usage import explanations

register = template.Library()
TONES: dict[UsageStatus, Tone] = {
    UsageStatus.OPEN: "busy",
    UsageStatus.DONE: "good",
    UsageStatus.FAILED: "bad",
    UsageStatus.CANCELLED: "quiet",
    UsageStatus.LOST: "warn",
}


@register.simple_tag
def status_badge(record: UsageRecord) -> SafeString:
    status = UsageStatus(record.status)
    return formats.badge(status.label, TONES[status])


@register.simple_tag
def count(tokens: int | None, record: UsageRecord) -> str:
    """The record's prompt or completion tokens: `1,204`, `≈ 1,204` for an estimate, a dash for an unknown number."""
    return formats.count(tokens, estimated=record.token_source == TokenSource.ESTIMATE)


@register.simple_tag
def endpoint_label(record: UsageRecord) -> str:
    """What was asked for, where no model says it."""
    labels = {"models": _("List of models"), "playground": _("Playground")}
    return labels.get(record.endpoint, f"/v1/{record.endpoint}")


@register.simple_tag
def key_label(record: UsageRecord) -> str:
    """The key's name; the page's own keys, and what stands for one, in the reader's language."""
    if record.endpoint == "playground":
        return _("Playground")
    if record.api_key is None:
        return formats.UNKNOWN
    return _(CHECK_NAME) if record.api_key.name == CHECK_NAME else record.api_key.name


@register.simple_tag
def error_causes(element_id: str) -> SafeString:
    """What each code of an error means, for pages that make requests themselves."""
    return json_script(explanations.causes(), element_id)


@register.filter
def any_drawn(charts: Iterable[Chart]) -> bool:
    """Whether one of them needs the script that draws."""
    return not all(chart.is_empty for chart in charts)
