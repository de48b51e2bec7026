"""A chart as the pages draw it: labels along the time, series of numbers, None where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

Number = int | float | None


@dataclass(frozen=True)
class Series:
    """`tone`: "1" to "6", "bad" or "quiet"; empty: by its place."""

    label: str
    data: Sequence[Number]
    tone: str = ""


@dataclass(frozen=True)
class Chart:
    """Drawn by static/gateway/charts.js from `spec`; templates/dashboard/chart.html shows it with a table."""

    id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    type: str = "bar"
    unit: str = ""
    stacked: bool = False

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.data)

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "labels": [str(label) for label in self.labels],
            "unit": self.unit,
            "stacked": self.stacked,
            "series": [
                {"label": str(each.label), "data": list(each.data), **({"tone": each.tone} if each.tone else {})}
                for each in self.series
            ],
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The same as a table, in words: `{"label", "cells"}`. A template would take longer than the charts' sums."""
        unknown = _("unknown")
        columns = [[unknown if value is None else f"{value:,}" for value in each.data] for each in self.series]
        return [{"label": label, "cells": _cells(words)} for label, *words in zip(self.labels, *columns, strict=True)]


def _cells(words: Sequence[str]) -> SafeString:
    return format_html_join("", "<td>{}</td>", ((each,) for each in words))
