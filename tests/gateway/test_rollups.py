"""Sums by hour and day: exact, once, in steps, and behind what still runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.utils import timezone
from pytest_django import Settings

from accounts.keys import key_issue
from accounts.models import ApiKey, Member
from gateway import tasks
from gateway.models import RolledUp, UsageRecord, UsageRollup
from gateway.usage import log, rollups, tally
from gateway.usage.rollups import DAY, HOUR, HOUR_OF_ALL

pytestmark = pytest.mark.django_db

SHANGHAI, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
NOON = (datetime.now(SHANGHAI) - timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)

numbers: Iterator[int] = count()


@pytest.fixture(autouse=True)
def zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"


@pytest.fixture
def key() -> ApiKey:
    return key_issue(member=Member.objects.create_user("alice"))[0]


def record(at: datetime, **fields: Any) -> UsageRecord:
    fields = {"endpoint": "chat/completions", "model": "qwen", "status": "done", **fields}
    return UsageRecord.objects.create(request_id=f"req_{next(numbers)}", created_at=at, **fields)


def hours() -> dict[datetime, int]:
    return dict(UsageRollup.objects.filter(period=HOUR).values_list("start", "requests"))


def days() -> dict[datetime, int]:
    return dict(UsageRollup.objects.filter(period=DAY).values_list("start", "requests"))


def test_an_hour_is_summed_by_member_key_and_model(key: ApiKey) -> None:
    for model in ("qwen", "qwen", "luna"):
        record(NOON, member=key.member, api_key=key, model=model)
    record(NOON)
    rollups.roll_up()
    rows = UsageRollup.objects.filter(period=HOUR).values_list("member", "api_key", "model", "requests")
    assert set(rows) == {
        (key.member_id, key.pk, "qwen", 2),
        (key.member_id, key.pk, "luna", 1),
        (None, None, "qwen", 1),
    }


def everybodys_hours() -> list[tuple[Any, ...]]:
    everybody = UsageRollup.objects.filter(period=HOUR_OF_ALL, member=None, api_key=None)
    return sorted(everybody.values_list("start", "model", *tally.SUMS))


def test_an_hour_is_summed_for_everybody_by_model(key: ApiKey) -> None:
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "token_source": "estimate", "first_token_ms": 300}
    record(NOON, member=key.member, api_key=key, **counted)
    record(NOON, **counted)
    record(NOON, model="luna", status="failed")
    rollups.roll_up()
    luna, qwen = everybodys_hours()
    assert luna == (NOON, "luna", 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert qwen == (NOON, "qwen", 2, 0, 0, 0, 0, 20, 10, 30, 2, 600, 2)


def test_hours_from_before_everybodys_were_kept_are_added_up(key: ApiKey) -> None:
    for hours in range(5):
        record(NOON + timedelta(hours=hours), member=key.member, api_key=key, prompt_tokens=3, completion_tokens=4)
        record(NOON + timedelta(hours=hours), status="lost")
    rollups.roll_up()
    before = everybodys_hours()
    UsageRollup.objects.filter(period=HOUR_OF_ALL).delete()
    import_module("gateway.migrations.0010_everybodys_hours").add_up(apps, None)
    assert everybodys_hours() == before != []


def test_unknown_counts_are_left_out_and_estimates_kept_apart() -> None:
    record(NOON, prompt_tokens=10, completion_tokens=5, token_source="school", first_token_ms=300)
    record(NOON, prompt_tokens=4, completion_tokens=2, token_source="estimate", first_token_ms=500)
    record(NOON, status="failed")
    rollups.roll_up()
    row = UsageRollup.objects.get(period=HOUR)
    assert (row.requests, row.failed, row.counted) == (3, 1, 2)
    assert (row.prompt_tokens, row.completion_tokens, row.estimated_tokens) == (14, 7, 6)
    assert (row.first_token_ms, row.first_tokens) == (800, 2)


def test_the_ends_of_an_hour_belong_to_one_hour_each() -> None:
    record(NOON - timedelta(microseconds=1))
    record(NOON)
    rollups.roll_up()
    assert hours() == {NOON - timedelta(hours=1): 1, NOON: 1}


def test_a_day_is_the_gateways_and_is_summed_when_it_is_over() -> None:
    midnight = NOON.replace(hour=0)
    record(midnight - timedelta(seconds=1))
    record(midnight)
    record(NOON)
    rollups.roll_up()
    assert days() == {midnight - timedelta(days=1): 1, midnight: 2}


def test_a_second_run_changes_nothing() -> None:
    record(NOON)
    rollups.roll_up()
    before = list(UsageRollup.objects.order_by("pk").values())
    assert rollups.roll_up() == 0
    assert list(UsageRollup.objects.order_by("pk").values()) == before


def test_hours_that_ended_lately_wait() -> None:
    record(timezone.now() - timedelta(minutes=30))
    assert rollups.roll_up() == 0
    assert not hours()


def test_an_hour_with_a_running_request_waits_for_its_end() -> None:
    running = record(NOON, status="open")
    record(NOON)
    assert rollups.roll_up() == 0
    UsageRecord.objects.filter(pk=running.pk).update(status="done")
    rollups.roll_up(hours=1)
    assert hours() == {NOON: 2}


def test_a_run_is_bounded_and_the_next_goes_on() -> None:
    for hour in range(3):
        record(NOON + timedelta(hours=hour))
    assert rollups.roll_up(hours=2) == 2
    assert RolledUp.objects.get().until == NOON + timedelta(hours=2)
    rollups.roll_up(hours=1)
    assert len(hours()) == 3


def test_hours_without_a_request_are_passed_in_one_step_and_end_their_days() -> None:
    record(NOON - timedelta(days=2))
    record(NOON)
    assert rollups.roll_up(hours=3) == 3
    assert RolledUp.objects.get().until == NOON + timedelta(hours=1)
    assert hours() == {NOON - timedelta(days=2): 1, NOON: 1}
    assert days() == {NOON.replace(hour=0) - timedelta(days=2): 1}


def test_behind_the_last_request_the_sums_reach_the_last_hour_that_is_over() -> None:
    record(NOON)
    rollups.roll_up()
    until = rollups.rolled_until()
    assert until is not None
    assert timedelta(hours=1) <= timezone.now() - until < timedelta(hours=2, minutes=1)
    assert days() == {NOON.replace(hour=0): 1}


def test_a_crash_in_the_middle_of_an_hour_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    record(NOON)
    with monkeypatch.context() as broken:
        broken.setattr(rollups, "_write_hour", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rollups.roll_up()
    rollups.roll_up(hours=1)
    assert hours() == {NOON: 1}


def test_the_other_of_two_workers_leaves_the_hour_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    record(NOON)
    rollups.roll_up(hours=1)
    monkeypatch.setattr(rollups, "rolled_until", lambda: NOON)
    assert rollups.roll_up() == 0
    assert hours() == {NOON: 1}


def test_after_a_rewind_the_sums_are_made_anew() -> None:
    record(NOON)
    rollups.roll_up()
    late = record(NOON + timedelta(minutes=5))
    rollups.rewind(to=late.created_at)
    assert rollups.rolled_until() == NOON
    rollups.roll_up()
    assert (hours(), days()) == ({NOON: 2}, {NOON.replace(hour=0): 2})
    assert [row[2] for row in everybodys_hours()] == [2]


def test_a_deleted_member_leaves_sums_without_a_name(key: ApiKey) -> None:
    record(NOON, member=key.member, api_key=key)
    rollups.roll_up()
    key.member.delete()
    hour = UsageRollup.objects.get(period=HOUR)
    assert (hour.member, hour.api_key, hour.requests) == (None, None, 1)


def test_days_are_summed_anew_after_the_gateways_zone_was_changed(settings: Settings) -> None:
    record(NOON.replace(hour=2))
    record(NOON)
    rollups.roll_up()
    settings.TIME_ZONE = "Europe/London"
    rollups.roll_up()
    midnight = NOON.replace(hour=0, tzinfo=LONDON)
    assert days() == {midnight - timedelta(days=1): 1, midnight: 1}


def test_everybodys_models_are_told_from_sums_and_from_what_has_none_yet(key: ApiKey) -> None:
    record(NOON, model="luna", member=key.member, api_key=key)
    record(NOON - timedelta(days=100), model="old")
    record(NOON, endpoint="models", model="")
    rollups.roll_up()
    record(timezone.now(), model="qwen")
    assert log.models_used() == ["luna", "qwen"]
    assert log.models_used(key.member) == ["luna"]


def test_without_records_there_is_nothing_to_do() -> None:
    tasks.roll_up_usage()
    assert rollups.rolled_until() is None


def test_the_task_rolls_up() -> None:
    record(NOON)
    tasks.roll_up_usage()
    assert NOON in hours()
