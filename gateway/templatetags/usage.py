"""Template tags of usage records."""

from __future__ import annotations

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString

from gateway import formats
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
def error_causes(element_id: str) -> SafeString:
    """What each code of an error means, for pages that make requests themselves."""
    return json_script(explanations.causes(), element_id)
