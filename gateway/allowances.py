"""How many requests a key with limits has left in the running minute and day.

Both counts are in one row and move by one conditional UPDATE, so that any number of processes let exactly as many
requests through as the key may make. Minutes and days are fixed windows of UTC.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from django.db.models import Case, F, Q, Value, When

from gateway.callers import Bounds
from gateway.models import Allowance

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Standing:
    """Where a key stands in the window that is nearer its end: requests, and seconds until it begins anew."""

    passed: bool
    limit: int
    remaining: int
    reset_seconds: int
    window_seconds: int

    def headers(self) -> dict[str, str]:
        """As OpenAI names and writes them."""
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": duration(self.reset_seconds),
        }


def take(key_id: int, bounds: Bounds) -> Standing:
    """Count one request of a key with limits, unless it has none left."""
    now = time.time()
    passed = _count(key_id, bounds, now)
    if not passed and not Allowance.objects.filter(pk=key_id).exists():
        Allowance.objects.bulk_create([Allowance(api_key_id=key_id)], ignore_conflicts=True)
        passed = _count(key_id, bounds, now)
    return _standing(key_id, bounds, now, passed=passed)


def look(key_id: int, bounds: Bounds) -> Standing:
    """Where a key with limits stands, for a request that does not count."""
    return _standing(key_id, bounds, time.time(), passed=True)


def duration(seconds: int) -> str:
    """`12s`, `6m0s`, `23h59m1s`."""
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{rest}s" if minutes else f"{rest}s"
    return f"{minutes // 60}h{minutes % 60}m{rest}s"


def _count(key_id: int, bounds: Bounds, now: float) -> bool:
    minute, day = int(now // MINUTE_SECONDS), int(now // DAY_SECONDS)
    free = Q(pk=key_id)
    if bounds.per_minute is not None:
        free &= Q(minute_requests__lt=bounds.per_minute) | _other("minute", minute, bounds.per_minute)
    if bounds.per_day is not None:
        free &= Q(day_requests__lt=bounds.per_day) | _other("day", day, bounds.per_day)
    counted = Allowance.objects.filter(free).update(
        minute=minute, minute_requests=_one_more("minute", minute), day=day, day_requests=_one_more("day", day)
    )
    return counted == 1


def _other(window: str, number: int, limit: int) -> Q:
    """The row counts an earlier window: a new one has room, unless its limit is 0."""
    return ~Q(**{window: number}) if limit else Q(pk__in=[])


def _one_more(window: str, number: int) -> Case:
    return Case(When(**{window: number}, then=F(f"{window}_requests") + 1), default=Value(1))


def _standing(key_id: int, bounds: Bounds, now: float, *, passed: bool) -> Standing:
    row = Allowance.objects.filter(pk=key_id).first() or Allowance()
    windows = (
        _window(now, MINUTE_SECONDS, bounds.per_minute, row.minute, row.minute_requests, passed=passed),
        _window(now, DAY_SECONDS, bounds.per_day, row.day, row.day_requests, passed=passed),
    )
    return min(filter(None, windows), key=lambda each: (each.remaining, -each.reset_seconds))


def _window(
    now: float, seconds: int, limit: int | None, counted: int, requests: int, *, passed: bool
) -> Standing | None:
    """One of the two windows; None where the key has no limit for it. `counted` is the one that the row counts."""
    if limit is None:
        return None
    number = int(now // seconds)
    used = requests if counted == number else 0
    # Rounded up: who waits so long comes after the window's end.
    reset = max(1, math.ceil((number + 1) * seconds - now))
    return Standing(passed, limit, max(0, limit - used), reset, seconds)
