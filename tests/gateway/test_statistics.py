"""Usage over time: live, counted once, in anybody's time zone, with the unknown kept unknown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.keys import key_issue
from accounts.models import ApiKey, Member
from gateway.models import UsageRecord, UsageRollup
from gateway.usage import rollups, statistics
from gateway.usage.statistics import Span, usage_over
from gateway.usage.tally import Tally

pytestmark = pytest.mark.django_db

SHANGHAI, NEW_YORK, KOLKATA = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
COUNTED: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "token_source": "school"}
numbers: Iterator[int] = count()


@pytest.fixture(autouse=True)
def zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the middle of an hour: neither an hour nor a day ends within a test."""
    now = timezone.now().replace(minute=30, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.fixture
def key() -> ApiKey:
    return key_issue(member=Member.objects.create_user("alice"))[0]


def record(at: datetime | None = None, **fields: Any) -> UsageRecord:
    fields = {"endpoint": "chat/completions", "model": "qwen", "status": "done", **fields}
    return UsageRecord.objects.create(
        request_id=f"req_{next(numbers)}", created_at=at or timezone.now() - timedelta(seconds=1), **fields
    )


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def total(span: Span = Span.MONTH, zone: ZoneInfo = SHANGHAI, **owner: Any) -> Tally:
    return usage_over(span, zone=zone, **owner).total


def tokens(span: Span, zone: ZoneInfo) -> list[int | None]:
    return [point.tally.tokens for point in usage_over(span, zone=zone).points]


def test_each_span_ends_with_the_running_hour_or_day() -> None:
    for span, number in ((Span.DAY, 24), (Span.WEEK, 7), (Span.MONTH, 30)):
        points = usage_over(span, zone=NEW_YORK).points
        assert len(points) == number
        assert points[-1].start <= timezone.now()
        assert points[0].start.tzinfo is NEW_YORK


def test_what_just_ended_counts_at_once_and_what_runs_does_not() -> None:
    record()
    record(status="open")
    assert total(Span.DAY).requests == 1


def test_sums_and_records_together_count_each_request_once() -> None:
    asked = [(span, zone) for span in Span for zone in (SHANGHAI, NEW_YORK)]
    for hours in range(0, 24 * 8, 7):
        record(ago(hours=hours, minutes=1), **COUNTED)
    before = [tokens(span, zone) for span, zone in asked]
    while rollups.roll_up(hours=97):
        assert [tokens(span, zone) for span, zone in asked] == before


def test_no_request_is_lost_where_midnight_is_half_past() -> None:
    for hours in range(0, 24 * 4, 7):
        record(ago(hours=hours, minutes=1), **COUNTED)
    before = total(Span.WEEK, KOLKATA).requests
    rollups.roll_up()
    assert total(Span.WEEK, KOLKATA).requests == before == 14


def test_a_members_days_of_the_gateways_zone_come_from_sums_by_day(key: ApiKey) -> None:
    record(ago(days=3), member=key.member, api_key=key)
    rollups.roll_up()
    UsageRollup.objects.filter(period="day").update(requests=1000)
    assert total(Span.WEEK, member=key.member).requests == 1000
    assert total(Span.WEEK, NEW_YORK, member=key.member).requests == 1


@pytest.mark.parametrize("zone", [SHANGHAI, NEW_YORK])
def test_everybodys_days_come_from_everybodys_hours(zone: ZoneInfo) -> None:
    record(ago(days=3))
    rollups.roll_up()
    UsageRollup.objects.exclude(period="all").update(requests=1000)
    assert total(Span.WEEK, zone).requests == 1


def test_a_day_is_the_members_own() -> None:
    midnight = datetime.combine(timezone.now().astimezone(NEW_YORK).date(), datetime.min.time(), tzinfo=NEW_YORK)
    record(midnight - timedelta(days=2, minutes=1))
    record(midnight - timedelta(days=2))
    points = usage_over(Span.WEEK, zone=NEW_YORK).points
    assert [point.tally.requests for point in points][-4:] == [1, 1, 0, 0]


def test_usage_is_narrowed_to_a_member_or_a_key(key: ApiKey) -> None:
    other = key_issue(member=key.member, name="other")[0]
    for api_key in (key, key, other):
        record(ago(days=2), member=key.member, api_key=api_key)
        record(member=key.member, api_key=api_key)
    record(ago(days=2))
    rollups.roll_up()
    assert (total(api_key=key).requests, total(member=key.member).requests, total().requests) == (4, 6, 7)


def test_unknown_tokens_are_none_and_not_zero() -> None:
    record(status="failed")
    sums = total(Span.DAY)
    assert (sums.prompt_tokens, sums.completion_tokens, sums.tokens, sums.first_token_ms) == (None, None, None, None)
    assert sums.estimated_share is None


def test_without_requests_no_tokens_were_used() -> None:
    assert total(Span.DAY).tokens == 0


def test_known_tokens_are_summed_beside_unknown_ones() -> None:
    record(**COUNTED)
    record()
    sums = total(Span.DAY)
    assert (sums.tokens, sums.counted, sums.requests) == (15, 1, 2)


def test_the_share_of_estimates_is_told() -> None:
    record(prompt_tokens=20, completion_tokens=10, token_source="school")
    record(prompt_tokens=5, completion_tokens=5, token_source="estimate")
    assert total(Span.DAY).estimated_share == 0.25


def test_the_time_to_first_token_is_the_average_of_those_known() -> None:
    for milliseconds in (200, 400, None):
        record(first_token_ms=milliseconds)
    assert total(Span.DAY).first_token_ms == 300


def test_models_come_most_requested_first() -> None:
    for model in ("luna", "qwen", "qwen", ""):
        record(model=model)
    models = usage_over(Span.DAY, zone=SHANGHAI).models
    assert list(models) == ["qwen", "", "luna"]
    assert models["qwen"].requests == 2


def test_lists_of_models_are_counted_apart_from_requests() -> None:
    for at in (ago(hours=5), None):
        record(at)
        record(at, endpoint="models", model="")
        record(at, endpoint="models", model="", status="failed")
    rollups.roll_up()
    usage = usage_over(Span.DAY, zone=SHANGHAI)
    assert (usage.total.requests, usage.total.errors, usage.total.lists) == (2, 0, 4)
    assert list(usage.models) == ["qwen"]


def test_charts_draw_gaps_for_the_unknown() -> None:
    record(status="failed")
    requests, tokens, first_token, errors = statistics.charts(usage_over(Span.DAY, zone=SHANGHAI))
    assert requests.series[0].data[-1] == 1
    assert [series.data[-1] for series in tokens.series] == [None, None]
    assert first_token.series[0].data[-1] is None
    assert errors.series[0].data[-1] == 1


def test_a_chart_of_estimates_says_so() -> None:
    record(prompt_tokens=5, completion_tokens=5, token_source="estimate")
    assert "≈" in statistics.charts(usage_over(Span.DAY, zone=SHANGHAI))[1].title


def test_rare_models_share_one_series() -> None:
    for number in range(8):
        record(model=f"model-{number}")
    series = statistics.charts(usage_over(Span.DAY, zone=SHANGHAI))[0].series
    assert (len(series), series[-1].data[-1]) == (6, 3)


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize("zone", [SHANGHAI, KOLKATA, NEW_YORK])
@pytest.mark.parametrize("span", [Span.WEEK, Span.MONTH])
@pytest.mark.parametrize("changed", ["Asia/Kolkata", "America/New_York"])
def test_sums_from_before_the_gateways_zone_was_changed_count_once(
    span: Span, zone: ZoneInfo, owned: bool, changed: str, key: ApiKey, settings: Settings
) -> None:
    for hours in range(2, 60):
        record(ago(hours=hours), member=key.member, api_key=key)
    owner = {"member": key.member} if owned else {}
    rollups.roll_up()
    settings.TIME_ZONE = changed
    # Until they are summed anew, at the next run of the task, hours may lie in the day beside their own.
    assert total(span, zone, **owner).requests > 0
    while rollups.roll_up():
        pass
    assert total(span, zone, **owner).requests == 58
