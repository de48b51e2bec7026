"""Filters that the admin's lists share."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter


class TimeFilter(RangeDateTimeFilter):  # type: ignore[misc]  # the theme has no types
    """From and to, in the reader's time zone; a date without a time means the whole day."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup, whole_day in (("from", "gte", time.min), ("to", "lte", time.max)):
            moment = self._moment(end, whole_day)
            if moment is not None:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": moment})
        return queryset

    def _moment(self, end: str, whole_day: time) -> datetime | None:
        day, clock = (self.used_parameters.get(f"{self.parameter_name}_{end}_{part}") for part in (0, 1))
        try:
            chosen = forms.DateField(required=False).clean(day)
            at = forms.TimeField(required=False).clean(clock) or whole_day
        except ValidationError:
            raise IncorrectLookupParameters from None
        return timezone.make_aware(datetime.combine(chosen, at)) if chosen else None


def since(field: str, moment: datetime) -> dict[str, str]:
    """The parameters of a link to a list that `TimeFilter` bounds."""
    local = timezone.localtime(moment)
    return {f"{field}_from_0": f"{local:%Y-%m-%d}", f"{field}_from_1": f"{local:%H:%M:%S}"}
