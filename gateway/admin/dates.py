"""Years, months and days to choose from, from the oldest and the newest row alone.

Django's own asks the database for every distinct date, which reads the whole table: 2.7 s at 300,000 rows in SQLite.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Any, TypedDict

from django.contrib.admin.views.main import ChangeList
from django.db import models
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

FIELD = "created_at"


class Choice(TypedDict, total=False):
    title: str
    link: str


class Dates(TypedDict):
    """What `admin/date_hierarchy.html` shows."""

    back: Choice | None
    choices: list[Choice]


def dates(changes: ChangeList) -> Dates:
    """The next level below what the address names in `created_at__year`, `…__month` and `…__day`."""
    span = _span(changes.model)
    if span is None:
        return {"back": None, "choices": []}
    year, month, day = (int(changes.params.get(f"{FIELD}__{part}") or 0) for part in ("year", "month", "day"))
    if year and month and day:
        title = date_format(date(year, month, day), "MONTH_DAY_FORMAT")
        return {"back": _month(changes, year, month), "choices": [{"title": title}]}
    if year and month:
        days = [date(year, month, each) for each in range(1, monthrange(year, month)[1] + 1)]
        inside = [_day(changes, each) for each in days if span[0] <= each <= span[1]]
        return {"back": _year(changes, year), "choices": inside}
    if year:
        first, last = ((each.year, each.month) for each in span)
        inside = [_month(changes, year, each) for each in range(1, 13) if first <= (year, each) <= last]
        return {"back": {"title": _("All dates"), "link": _link(changes)}, "choices": inside}
    return {"back": None, "choices": [_year(changes, each) for each in range(span[0].year, span[1].year + 1)]}


def _span(model: type[models.Model]) -> tuple[date, date] | None:
    times = model._default_manager.order_by(FIELD).values_list(FIELD, flat=True)
    oldest, newest = times.first(), times.last()
    return (localtime(oldest).date(), localtime(newest).date()) if oldest and newest else None


def _year(changes: ChangeList, year: int) -> Choice:
    return {"title": str(year), "link": _link(changes, year=year)}


def _month(changes: ChangeList, year: int, month: int) -> Choice:
    title = date_format(date(year, month, 1), "YEAR_MONTH_FORMAT")
    return {"title": title, "link": _link(changes, year=year, month=month)}


def _day(changes: ChangeList, day: date) -> Choice:
    title = date_format(day, "MONTH_DAY_FORMAT")
    return {"title": title, "link": _link(changes, year=day.year, month=day.month, day=day.day)}


def _link(changes: ChangeList, **parts: Any) -> str:
    chosen = {f"{FIELD}__{part}": value for part, value in parts.items()}
    return changes.get_query_string(chosen, [f"{FIELD}__"])
