"""How the pages write states, times and numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

Tone = Literal["good", "busy", "bad", "warn", "quiet"]
UNKNOWN = "–"
MINUTES_OF_A_DAY = 24 * 60


def badge(label: object, tone: Tone) -> SafeString:
    """A state as a word in a colour: the word alone says it all."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, label)


def with_notes(first: SafeString, *notes: str) -> SafeString:
    """A badge with lines of small text below; empty notes are left out."""
    for note in filter(None, notes):
        first += format_html('<div class="note">{}</div>', note)
    return first


def moment(value: datetime | None, *, seconds: bool = False) -> str:
    """`2026-11-23 02:56` in the reader's time zone: short, and the same in every language."""
    if value is None:
        return UNKNOWN
    return localtime(value).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def relative(value: datetime | None) -> str:
    """`in 1 h 59 min`, `5 min ago`, `in 2 d`, `just now`: to the minute below a day, then in days."""
    if value is None:
        return UNKNOWN
    seconds = (value - now()).total_seconds()
    minutes = int(abs(seconds) // 60)
    if not minutes:
        return _("now") if seconds > 0 else _("just now")
    return (_("in %(amount)s") if seconds > 0 else _("%(amount)s ago")) % {"amount": _amount(minutes)}


def _amount(minutes: int) -> str:
    if minutes >= MINUTES_OF_A_DAY:
        return _("%(n)d d") % {"n": round(minutes / MINUTES_OF_A_DAY)}
    hours, rest = divmod(minutes, 60)
    parts = [_("%(n)d h") % {"n": hours}] if hours else []
    return " ".join([*parts, _("%(n)d min") % {"n": rest}] if rest else parts)


def milliseconds(value: int | None) -> str:
    """`850 ms`, `12.3 s`; a dash for an unknown time, never 0."""
    if value is None:
        return UNKNOWN
    if value < 1000:
        return _("%(number)s ms") % {"number": value}
    return _("%(number)s s") % {"number": f"{value / 1000:,.1f}"}


def duration(value: timedelta | None) -> str:
    return milliseconds(None if value is None else round(value.total_seconds() * 1000))


def count(value: int | None, *, estimated: bool) -> str:
    """`1,204`, `≈ 1,204` for an estimate, a dash for an unknown number."""
    if value is None:
        return UNKNOWN
    # Django groups no digits of Chinese numbers.
    number = f"{value:,}"
    return f"≈ {number}" if estimated else number
