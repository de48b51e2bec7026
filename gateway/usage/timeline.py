"""The way of one request, as bars on a common scale: key → login → line → interval → session → first token → end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gateway.models import UsageRecord, UsageStatus

SCALE = 1000
"""The width of the whole scale, in the units of the picture."""
LEAST_WIDTH = 4

_ENDS = {
    UsageStatus.DONE: _("Answer complete"),
    UsageStatus.FAILED: _("Failed"),
    UsageStatus.CANCELLED: _("Cancelled by the client"),
    UsageStatus.LOST: _("Lost in a crash"),
}


@dataclass(frozen=True)
class Stage:
    """`start_ms` counts from the request's arrival; `took_ms` None: a moment, or unknown. `x`, `width`: of `SCALE`."""

    name: str
    label: str | Promise
    start_ms: int | None
    took_ms: int | None
    tone: str
    x: int = 0
    width: int = 0

    @property
    def is_drawn(self) -> bool:
        return self.width > 0


def timeline(record: UsageRecord) -> list[Stage]:
    """The stages in their order; those that are unknown, or took no time, have no bar.

    The waits are sums over the request's calls to the school, each drawn where the one before it ends: a part of them
    may lie between session and first token. The moments of session, first token and end are exact.
    """
    total = record.total_ms or max(record.session_ms or 0, record.first_token_ms or 0)
    return [_drawn(stage, total) for stage in _stages(record)]


def _stages(record: UsageRecord) -> Iterator[Stage]:
    yield Stage("key", _("Key accepted"), 0, None, "quiet")
    waited = 0
    waits = (
        ("login", _("Waiting for a login"), record.login_ms, "4"),
        ("queue", _("Waiting in line"), record.queued_ms, "3"),
        ("interval", _("Interval between calls"), record.spacing_ms, "5"),
    )
    for name, label, took, tone in waits:
        yield Stage(name, label, None if took is None else waited, took, tone)
        waited += took or 0
    yield _until("session", _("Session at the school"), 0, record.session_ms, "6")
    yield _until("first-token", _("First token"), record.session_ms or 0, record.first_token_ms, "1")
    yield _end(record)


def _end(record: UsageRecord) -> Stage:
    status = UsageStatus(record.status)
    if status == UsageStatus.OPEN:
        return Stage("end", _("Still running"), None, None, "quiet")
    start = record.first_token_ms or record.session_ms or 0
    return _until("end", _ENDS[status], start, record.total_ms, "2" if status == UsageStatus.DONE else "bad")


def _until(name: str, label: str | Promise, start: int, end: int | None, tone: str) -> Stage:
    """From the moment before to a measured one."""
    if end is None:
        return Stage(name, label, None, None, tone)
    return Stage(name, label, start, max(end - start, 0), tone)


def _drawn(stage: Stage, total: int) -> Stage:
    if stage.start_ms is None or stage.took_ms == 0 or not total:
        return stage
    x = min(round(stage.start_ms * SCALE / total), SCALE - LEAST_WIDTH)
    width = min(max(round((stage.took_ms or 0) * SCALE / total), LEAST_WIDTH), SCALE - x)
    return Stage(stage.name, stage.label, stage.start_ms, stage.took_ms, stage.tone, x, width)
