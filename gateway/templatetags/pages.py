"""Template tags and filters of all pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gateway import formats

register = template.Library()
register.filter("milliseconds", formats.milliseconds)
register.filter("duration", formats.duration)

TONE_ICONS: dict[str, str] = {"good": "check_circle", "busy": "sync", "warn": "front_hand", "bad": "error"}


@register.filter
def moment(value: datetime | None) -> SafeString:
    """A time to the minute, with the full one in its tooltip."""
    return _time(value, formats.moment(value))


@register.filter
def moment_seconds(value: datetime | None) -> SafeString:
    return _time(value, formats.moment(value, seconds=True))


@register.filter
def relative(value: datetime | None) -> SafeString:
    """`in 3 h`, `5 min ago`, with the time itself in its tooltip."""
    return _time(value, formats.relative(value))


@register.filter
def tokens(value: int | None, estimated: bool = False) -> str:
    """`1,204`, `≈ 1,204` for an estimate, a dash for an unknown number."""
    return formats.count(value, estimated=bool(estimated))


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of the theme's symbols, as decoration: a word beside it, or the button's label, says what it means."""
    return format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', name)


@register.simple_tag
def tone_icon(tone: str) -> SafeString:
    """The symbol of a state, the same on every page."""
    return icon(TONE_ICONS.get(tone, "info"))


@register.simple_tag
def badge(label: object, tone: Any) -> SafeString:
    """A state as a word in a colour: `good`, `busy`, `bad`, `warn` or `quiet`."""
    return formats.badge(label, tone)


def _time(value: datetime | None, text: str) -> SafeString:
    if value is None:
        return SafeString(formats.UNKNOWN)
    full = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', full.isoformat(), f"{full:%Y-%m-%d %H:%M:%S %Z}", text
    )
