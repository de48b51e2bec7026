"""Usage summed by hour or day over any time: rollups where there are some, records for what is newer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.db.models import F, Q
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from gateway.models import UsageRecord, UsageRollup
from gateway.usage import rollups, tally
from gateway.usage.tally import Tally

Period = Literal["hour", "day"]
Group = Literal["", "model", "key"]
FIELDS = {"model": "model", "key": "api_key_id"}


@dataclass(frozen=True)
class Sum:
    """The ended requests of one hour or day; `group` is a model, the id of a key, or None where nothing is grouped."""

    start: datetime
    group: Any
    tally: Tally


def sums(*, by: Period, start: datetime, end: datetime, group: Group, owner: Q) -> list[Sum]:
    """Of the hours or days, by the gateway's clock, that begin in the one of `start` and end with the one of `end`."""
    first, last = _begin(by, start), _following(by, end)
    cells: dict[tuple[datetime, Any], Tally] = defaultdict(Tally)
    for at, value, part in _parts(by, first, last, group, owner):
        cells[_begin(by, at), value].add(part)
    requested = [cell for cell in cells.items() if cell[1].requests]
    return [Sum(at, value, total) for (at, value), total in sorted(requested, key=_order)]


Part = tuple[datetime, Any, Mapping[str, int]]


def _parts(by: Period, first: datetime, last: datetime, group: Group, owner: Q) -> Iterator[Part]:
    until = min(max(rollups.rolled_until() or first, first), last)
    hours_from = max(rollups.day_start(until), first) if by == "day" else first
    if by == "day":
        yield from _rolled_up(rollups.DAY, first, hours_from, group, owner)
    hours = rollups.HOUR if group == "key" else rollups.hours_for(owner)
    yield from _rolled_up(hours, hours_from, until, group, owner)
    yield from _recorded(by, until, last, group, owner)


def _rolled_up(period: UsageRollup.Period, start: datetime, end: datetime, group: Group, owner: Q) -> Iterator[Part]:
    rows = UsageRollup.objects.filter(owner, period=period, start__gte=start, start__lt=end).order_by()
    for row in rows.values(at=F("start"), **_grouping(group)).annotate(**tally.sums_of_rollups()):
        yield row["at"], row.get("value"), tally.columns(row)


def _recorded(by: Period, start: datetime, end: datetime, group: Group, owner: Q) -> Iterator[Part]:
    truncated = TruncHour if by == "hour" else TruncDay
    at = truncated("created_at", tzinfo=timezone.get_default_timezone())
    rows = UsageRecord.objects.filter(owner, rollups.ENDED, created_at__gte=start, created_at__lt=end).order_by()
    for row in rows.values(at=at, **_grouping(group)).annotate(**tally.sums_of_records()):
        yield row["at"], row.get("value"), tally.columns(row)


def _grouping(group: Group) -> dict[str, F]:
    return {"value": F(FIELDS[group])} if group else {}


def _begin(by: Period, moment: datetime) -> datetime:
    """In UTC: by a clock that is set back in autumn, two hours would be one."""
    begin = rollups.hour_start(moment) if by == "hour" else rollups.day_start(moment)
    return begin.astimezone(UTC)


def _following(by: Period, moment: datetime) -> datetime:
    """The end of the hour or day of `moment`, which itself counts as an end where it is one."""
    begin = _begin(by, moment)
    if begin == moment:
        return begin
    # A day has 23 to 25 hours.
    return _begin(by, begin + (timedelta(hours=1) if by == "hour" else timedelta(hours=36)))


def _order(cell: tuple[tuple[datetime, Any], Tally]) -> tuple[datetime, int, str]:
    (at, value), total = cell
    return at, -total.requests, str(value)
