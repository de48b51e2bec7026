"""Usage over 24 hours, 7 days and 30 days, for a member, a key or everybody: always live, and quick at any size.

usage = usage_over(Span.WEEK, zone=timezone.get_current_timezone(), member=request.user)
usage.total.requests, usage.total.tokens       # None: unknown
charts(usage)                                  # for templates/dashboard/chart.html
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, F, IntegerField, Q, TextChoices, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ApiKey, Member
from gateway.charts import Chart, Number, Series
from gateway.models import UsageRecord, UsageRollup
from gateway.usage import rollups, tally
from gateway.usage.tally import Tally

HOURS = 24
MODELS_SHOWN = 5


class Span(TextChoices):
    """How far back, from now. Days are whole days with the running one; hours likewise."""

    DAY = "24h", gettext_lazy("24 hours")
    WEEK = "7d", gettext_lazy("7 days")
    MONTH = "30d", gettext_lazy("30 days")

    @property
    def is_hourly(self) -> bool:
        return self is Span.DAY


_DAYS = {Span.WEEK: 7, Span.MONTH: 30}


@dataclass(frozen=True)
class Point:
    """One hour or day, from `start` (in the zone that was asked for); the running one is not over yet."""

    start: datetime
    tally: Tally
    models: Mapping[str, Tally]


@dataclass(frozen=True)
class UsageOver:
    """`models`: the most requested first; "" for requests that named none. Lists of models are in `total` alone."""

    span: Span
    points: Sequence[Point]
    total: Tally
    models: Mapping[str, Tally]


def usage_over(span: Span, *, zone: tzinfo, member: Member | None = None, api_key: ApiKey | None = None) -> UsageOver:
    """The usage of `member`, of `api_key`, or of everybody; days are those of `zone`.

    Only requests that have ended count.
    """
    starts = _starts(span, zone)
    cells: dict[tuple[int, str], Tally] = defaultdict(Tally)
    for at, model, sums in _sums(span, starts, _owner(member, api_key)):
        cells[at, model].add(sums)
    return _usage(span, starts, cells)


def model_label(model: str) -> str:
    return model or _("No model")


# When: the beginnings of hours or days, the last one running.


def _starts(span: Span, zone: tzinfo) -> list[datetime]:
    now = timezone.now()
    if span.is_hourly:
        this_hour = rollups.hour_start(now)
        return [(this_hour - back * timedelta(hours=1)).astimezone(zone) for back in reversed(range(HOURS))]
    today = now.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in reversed(range(_DAYS[span]))]
    return [datetime.combine(day, time.min, tzinfo=zone) for day in days]


# What: sums before the watermark, records from it on.

Sums = tuple[int, str, Mapping[str, int]]
"""Which of the hours or days, the model, and the columns of a rollup."""


def _owner(member: Member | None, api_key: ApiKey | None) -> Q:
    owner = Q()
    if member is not None:
        owner &= Q(member=member)
    if api_key is not None:
        owner &= Q(api_key=api_key)
    return owner


def _sums(span: Span, starts: Sequence[datetime], owner: Q) -> Iterator[Sums]:
    first = starts[0]
    until = max(rollups.rolled_until() or first, first)
    hours_from = first
    # Everybody's hours are fewer rows than everybody's days, which are kept by member and key.
    if owner and not span.is_hourly and all(start == rollups.day_start(start) for start in starts):
        hours_from = max(rollups.day_start(until), first)
        yield from _rolled_up(rollups.DAY, first, hours_from, starts, owner, is_exact=True)
    # In zones that differ from the gateway's by a part of an hour, hours lie on both sides of a midnight.
    split = [hour for hour in map(rollups.hour_start, starts) if hour not in starts and hour < until]
    whole = owner & ~Q(start__in=split) if split else owner
    yield from _rolled_up(rollups.hours_for(owner), hours_from, until, starts, whole, is_exact=span.is_hourly)
    if split:
        # The owner in each of them: SQLite looks each up in an index then.
        hours = [owner & Q(created_at__gte=max(hour, first), created_at__lt=hour + rollups.AN_HOUR) for hour in split]
        yield from _recorded(first, starts, reduce(or_, hours))
    yield from _recorded(until, starts, owner & Q(created_at__gte=until))


def _rolled_up(
    period: UsageRollup.Period,
    since: datetime,
    until: datetime,
    starts: Sequence[datetime],
    owner: Q,
    *,
    is_exact: bool,
) -> Iterator[Sums]:
    """`is_exact`: the sums are those of the very hours or days that are asked for, so none has to be placed."""
    if since >= until:
        return
    rows = UsageRollup.objects.filter(owner, period=period, start__gte=since, start__lt=until)
    place = F("start") if is_exact else _place("start", starts, since, until)
    summed = _summed(rows.values(at=place, name=F("model")).annotate(**tally.sums_of_rollups()))
    if is_exact:
        # Not by equality: sums from before the gateway's zone was changed begin elsewhere.
        summed = ((bisect_right(starts, at) - 1, model, sums) for at, model, sums in summed)
    yield from summed


def _recorded(since: datetime, starts: Sequence[datetime], which: Q) -> Iterator[Sums]:
    """`which` are from `since` on."""
    rows = UsageRecord.objects.filter(which, rollups.ENDED).order_by()
    place = _place("created_at", starts, since)
    yield from _summed(rows.values(at=place, name=F("model")).annotate(**tally.sums_of_records()))


def _place(field: str, starts: Sequence[datetime], since: datetime, until: datetime | None = None) -> Case:
    """Which of the hours or days a row lies in: told by the database, which spares thousands of rows the way here.

    Grouped by this first: grouped by model, SQLite reads all records in the order of the models' index. Only the ends
    between `since` and `until`, where the rows lie, are named: each of them is a comparison for each row. One is always
    named: grouped by a constant, the models would come first again.
    """
    first = bisect_right(starts, since)
    last = len(starts) if until is None else bisect_left(starts, until)
    ends = [When(**{f"{field}__lt": starts[at]}, then=Value(at - 1)) for at in range(first, last)]
    ends = ends or [When(**{f"{field}__lt": since}, then=Value(last - 1))]
    return Case(*ends, default=Value(last - 1), output_field=IntegerField())


def _summed(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Any, str, Mapping[str, int]]]:
    for row in rows:
        yield row["at"], row["name"], tally.columns(row)


def _usage(span: Span, starts: Sequence[datetime], cells: Mapping[tuple[int, str], Tally]) -> UsageOver:
    by_point: list[dict[str, Tally]] = [{} for _start in starts]
    by_model: dict[str, Tally] = defaultdict(Tally)
    for (at, model), cell in cells.items():
        by_point[at][model] = cell
        by_model[model].add(cell)
    requested = [(model, sums) for model, sums in by_model.items() if sums.requests]
    most_first = sorted(requested, key=lambda item: (-item[1].requests, item[0]))
    return UsageOver(
        span=span,
        points=[Point(start, Tally(*models.values()), models) for start, models in zip(starts, by_point, strict=True)],
        total=Tally(*by_model.values()),
        models=dict(most_first),
    )


# Charts


def charts(usage: UsageOver, *, prefix: str = "usage") -> list[Chart]:
    """Requests by model, tokens, time to first token, errors. `prefix` begins their ids in the page."""
    return [
        requests_chart(usage, id=f"{prefix}-requests"),
        tokens_chart(usage, id=f"{prefix}-tokens"),
        first_token_chart(usage, id=f"{prefix}-first-token"),
        errors_chart(usage, id=f"{prefix}-errors"),
    ]


def requests_chart(usage: UsageOver, *, id: str) -> Chart:
    shown = list(usage.models)[:MODELS_SHOWN]
    series = [Series(model_label(model), _requests_of(usage, [model])) for model in shown]
    if others := list(usage.models)[MODELS_SHOWN:]:
        series.append(Series(_("Other models"), _requests_of(usage, others), tone="quiet"))
    return Chart(id, _("Requests by model"), labels(usage), series, stacked=True)


def tokens_chart(usage: UsageOver, *, id: str) -> Chart:
    title = _("Tokens (≈ partly estimated)") if usage.total.is_estimated else _("Tokens")
    series = [
        Series(_("Prompt tokens"), _each(usage, lambda sums: sums.prompt_tokens)),
        Series(_("Completion tokens"), _each(usage, lambda sums: sums.completion_tokens)),
    ]
    return Chart(id, title, labels(usage), series, stacked=True)


def first_token_chart(usage: UsageOver, *, id: str) -> Chart:
    series = Series(_("Average"), _each(usage, lambda sums: _seconds(sums.first_token_ms)), tone="4")
    return Chart(id, _("Time to the first token"), labels(usage), [series], type="line", unit=_("s"))


def errors_chart(usage: UsageOver, *, id: str) -> Chart:
    series = [
        Series(_("Failed"), _each(usage, lambda sums: sums.failed), tone="bad"),
        Series(_("Lost in a crash"), _each(usage, lambda sums: sums.lost), tone="3"),
        Series(_("Cancelled by the client"), _each(usage, lambda sums: sums.cancelled), tone="quiet"),
    ]
    return Chart(id, _("Requests without a whole answer"), labels(usage), series, stacked=True)


def labels(usage: UsageOver) -> list[str]:
    """`14:00` for hours, `11-22` for days."""
    form = "%H:%M" if usage.span.is_hourly else "%m-%d"
    return [point.start.strftime(form) for point in usage.points]


def _each(usage: UsageOver, number: Callable[[Tally], Number]) -> list[Number]:
    return [number(point.tally) for point in usage.points]


def _requests_of(usage: UsageOver, models: Iterable[str]) -> list[Number]:
    wanted = set(models)
    return [sum(sums.requests for model, sums in point.models.items() if model in wanted) for point in usage.points]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 2)
