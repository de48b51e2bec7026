"""How the pages write times and numbers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation

from gateway import formats
from gateway.charts import Chart, Series

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("away", "english", "chinese"),
    [
        (timedelta(minutes=119, seconds=59), "in 1 h 59 min", "1 小时 59 分钟后"),
        (timedelta(hours=2, seconds=5), "in 2 h", "2 小时后"),
        (timedelta(seconds=30), "now", "马上"),
        (timedelta(seconds=-30), "just now", "刚刚"),
        (timedelta(minutes=-5), "5 min ago", "5 分钟前"),
        (timedelta(hours=-23, minutes=-59), "23 h 59 min ago", "23 小时 59 分钟前"),
        (timedelta(hours=47), "in 2 d", "2 天后"),
        (timedelta(hours=-25), "1 d ago", "1 天前"),
    ],
)
def test_a_time_is_told_to_the_minute_below_a_day(away: timedelta, english: str, chinese: str) -> None:
    for language, told in (("en", english), ("zh-hans", chinese)):
        with translation.override(language):
            assert formats.relative(NOW + away) == told


def test_an_unknown_time_is_a_dash() -> None:
    assert formats.relative(None) == formats.UNKNOWN


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_digits_of_a_large_number_stand_in_groups(language: str) -> None:
    with translation.override(language):
        assert formats.count(124_136, estimated=True) == "≈ 124,136"
        assert formats.milliseconds(1_234_560).startswith("1,234.6")
        row = Chart(
            "id",
            "title",
            ["14:00"],
            [
                Series(
                    "tokens",
                    [
                        124_136,
                    ],
                ),
                Series("time", [None]),
            ],
        ).rows[0]
        assert row["cells"] == f"<td>124,136</td><td>{translation.gettext('unknown')}</td>"
