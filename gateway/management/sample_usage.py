"""Made-up usage that looks like a group at work, for charts and for load. Its rows are marked, and can be removed."""

# ruff: noqa: S311  chance here decides nothing but how a chart looks

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Member
from gateway.models import TokenSource, UsageRecord, UsageStatus
from gateway.usage import rollups

MARK = "sample"
BATCH = 10_000

MODELS = {"qwen3.6-plus": 46, "deepseek-v4": 26, "gpt-5.6-luna": 14, "glm-5": 9, "kimi-k3": 5}
STATUSES = {UsageStatus.DONE: 925, UsageStatus.FAILED: 42, UsageStatus.CANCELLED: 30, UsageStatus.LOST: 3}
# Code, HTTP status, and whether the school had made a session by then.
ERRORS = {
    ("rate_limit_exceeded", 429, False): 24,
    ("school_too_fast", 429, True): 14,
    ("account_unavailable", 503, False): 12,
    ("content_filter", 400, True): 12,
    ("model_not_found", 404, False): 10,
    ("invalid_value", 400, False): 10,
    ("school_error", 502, True): 8,
    ("answer_cut", 502, True): 6,
    ("school_unreachable", 503, False): 4,
}
SOURCES = {TokenSource.SCHOOL: 80, TokenSource.ESTIMATE: 16, TokenSource.NONE: 4}
# Requests in each hour of a day; the group sleeps late, and works less on Saturdays and Sundays.
HOURS = (5, 3, 2, 1, 1, 1, 2, 6, 16, 30, 38, 34, 20, 24, 36, 40, 36, 28, 22, 30, 40, 38, 26, 12)
WEEKDAYS = (10, 11, 11, 10, 9, 5, 5)

Say = Callable[[str], object]


def samples() -> QuerySet[UsageRecord]:
    """The rows that were made here: the mark alone might be a client's own name."""
    return UsageRecord.objects.filter(user_agent=MARK, request_id__startswith=f"{MARK}-")


def make(members: Sequence[Member], *, rows: int, days: int, seed: int | None, say: Say) -> None:
    """`rows` ended requests of the last `days`, those of each member with the member's keys. Sums come along."""
    chance = random.Random(seed)
    moments = sorted(_moments(chance, rows, days))
    records = _records(chance, members, moments)
    made = 0
    while batch := list(islice(records, BATCH)):
        _insert(batch)
        made += len(batch)
        say(f"{made:,} of {rows:,} records")
    if moments:
        _sum_up(moments[0], say)


def remove(*, say: Say) -> None:
    """Take the made-up rows away, and them alone."""
    oldest = samples().order_by("created_at").values_list("created_at", flat=True).first()
    if oldest is None:
        say("There are no sample records.")
        return
    removed = 0
    while gone := UsageRecord.objects.filter(pk__in=list(samples().values_list("pk", flat=True)[:BATCH])).delete()[0]:
        removed += gone
        say(f"{removed:,} records removed")
    _sum_up(oldest, say)


def _insert(records: Sequence[Mapping[str, Any]]) -> None:
    """Past the models, which take four times as long. What a record leaves out gets its field's default."""
    fields = [field for field in UsageRecord._meta.concrete_fields if not field.primary_key]
    defaults = {field.attname: field.get_default() for field in fields}
    quote, adapt = connection.ops.quote_name, connection.ops.adapt_datetimefield_value
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join("%s" for _field in fields)
    sql = f"INSERT INTO {quote(UsageRecord._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608  names of ours
    rows = [
        [adapt(value) if isinstance(value, datetime) else value for value in {**defaults, **record}.values()]
        for record in records
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(sql, rows)


def _sum_up(since: datetime, say: Say) -> None:
    """Sums of hours in which rows came or went are made anew."""
    rollups.rewind(to=since)
    hours = 0
    while done := rollups.roll_up():
        hours += done
        say(f"{hours:,} hours rolled up")


def _moments(chance: random.Random, rows: int, days: int) -> Iterator[datetime]:
    """Times of requests in the rhythm of days and weeks, none in the future."""
    now = timezone.now()
    zone = timezone.get_default_timezone()
    today = timezone.localtime(now, zone).date()
    midnights = [datetime.combine(today - timedelta(days=back), time.min, tzinfo=zone) for back in range(days + 1)]
    weights = [WEEKDAYS[midnight.weekday()] for midnight in midnights]
    made = 0
    while made < rows:
        hours = chance.choices(range(24), HOURS, k=rows)
        for midnight, hour in zip(chance.choices(midnights, weights, k=rows), hours, strict=True):
            moment = midnight.astimezone(UTC) + timedelta(hours=hour, seconds=chance.random() * 3600)
            if now - timedelta(days=days) < moment < now and made < rows:
                made += 1
                yield moment


def _records(chance: random.Random, members: Sequence[Member], moments: Sequence[datetime]) -> Iterator[dict[str, Any]]:
    keys: dict[int, list[int | None]] = {
        member.pk: [*member.api_keys.values_list("pk", flat=True)] or [None] for member in members
    }
    # A few do most of it.
    busy = [1 / (place + 1) for place in range(len(members))]
    count = len(moments)
    models = chance.choices(list(MODELS), list(MODELS.values()), k=count)
    statuses = chance.choices(list(STATUSES), list(STATUSES.values()), k=count)
    for moment, member, model, status in zip(
        moments, chance.choices(members, busy, k=count), models, statuses, strict=True
    ):
        yield {
            "member_id": member.pk,
            "api_key_id": chance.choice(keys[member.pk]),
            "request_id": f"{MARK}-{chance.getrandbits(96):024x}",
            "created_at": moment,
            "lease_until": moment,
            "endpoint": "chat/completions",
            "model": model,
            "status": status.value,
            "stream": chance.random() < 0.7,
            "user_agent": MARK,
            **_outcome(chance, status),
        }


def _outcome(chance: random.Random, status: UsageStatus) -> dict[str, Any]:
    if status == UsageStatus.LOST:
        return {}
    if status == UsageStatus.FAILED:
        return _failure(chance)
    times = _times(chance)
    if status == UsageStatus.CANCELLED:
        return times
    return {"http_status": 200, **times, **_tokens(chance)}


def _failure(chance: random.Random) -> dict[str, Any]:
    (code, http_status, had_session), *_ = chance.choices(list(ERRORS), list(ERRORS.values()))
    failure = {"error_code": code, "http_status": http_status}
    if had_session:
        return {**failure, **_times(chance), "first_token_ms": None}
    return {**failure, "queued_ms": 0, "spacing_ms": 0, "login_ms": 0, "total_ms": chance.randrange(4, 400)}


def _times(chance: random.Random) -> dict[str, int]:
    """Milliseconds. One in a hundred waits for a login, one in five for other requests."""
    login = chance.randrange(8_000, 25_000) if chance.random() < 0.01 else 0
    queued = round(chance.expovariate(1 / 1500)) if chance.random() < 0.2 else 0
    spacing = chance.randrange(0, 1000)
    session = login + queued + spacing + chance.randrange(60, 300)
    first = session + round(chance.lognormvariate(7, 0.5))
    return {
        "login_ms": login,
        "queued_ms": queued,
        "spacing_ms": spacing,
        "session_ms": session,
        "first_token_ms": first,
        "total_ms": first + round(chance.lognormvariate(8.5, 0.8)),
    }


def _tokens(chance: random.Random) -> dict[str, Any]:
    (source,) = chance.choices(list(SOURCES), list(SOURCES.values()))
    if source == TokenSource.NONE:
        return {}
    prompt, completion = round(chance.lognormvariate(6.5, 1.1)), round(chance.lognormvariate(5.6, 0.9))
    return {"token_source": source.value, "prompt_tokens": prompt, "completion_tokens": completion}
