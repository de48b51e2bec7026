"""Usage summed by hour and by day, so that a chart does not read a million records.

    records ──────────────────────────────────────────────▶ time
    │ hours and days in UsageRollup        │ records alone │
                                    RolledUp.until        now

An hour is rolled up when it has been over for an hour and none of its requests runs any more; a day when its last hour
is. Each hour is one transaction that also moves `until`, by a conditional UPDATE: a crash leaves whole hours, and of
two workers one does the hour. Hours without a request are passed in one step. Whoever reads takes sums before `until`
and records from it on, so nothing counts twice.

Hours and days are those of the gateway's time zone. Everybody's hours are kept by model alone too: a twentieth as many
rows as by member and key, for everybody's charts in any time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway.models import RolledUp, UsageRecord, UsageRollup, UsageStatus
from gateway.usage import tally

HOUR, DAY, HOUR_OF_ALL = UsageRollup.Period.HOUR, UsageRollup.Period.DAY, UsageRollup.Period.HOUR_OF_ALL
ENDED = ~Q(status=UsageStatus.OPEN)
GROUPS = ("member_id", "api_key_id", "model")
AN_HOUR = timedelta(hours=1)
SETTLES_AFTER = timedelta(hours=1)
HOURS_IN_ONE_RUN = 48
"""Some seconds of work: an old database is summed over some minutes, between which requests have their turn."""
BATCH = 500


def roll_up(*, hours: int = HOURS_IN_ONE_RUN) -> int:
    """Roll up at most `hours` of those that are due, the oldest first; hours without a request that lie together count
    as one. Returns how many were.
    """
    _renew_days()
    for done in range(hours):
        if not _roll_up_one():
            return done
    return hours


def rolled_until() -> datetime | None:
    """Where the sums end; None where there are none yet."""
    return RolledUp.objects.filter(pk=1).values_list("until", flat=True).first()


def hours_for(owner: Q) -> UsageRollup.Period:
    """Which sums by hour to read for the models of `owner`: an empty one is everybody."""
    return HOUR if owner else HOUR_OF_ALL


@transaction.atomic
def rewind(*, to: datetime) -> None:
    """Forget the sums from the hour of `to` on: they are made anew, with records that were added or taken away."""
    start = hour_start(to)
    RolledUp.objects.filter(until__gt=start).update(until=start)
    hours, days = Q(period__in=(HOUR, HOUR_OF_ALL), start__gte=start), Q(period=DAY, start__gte=day_start(start))
    UsageRollup.objects.filter(hours | days).delete()


def hour_start(moment: datetime) -> datetime:
    """The beginning of the hour, by the gateway's clock."""
    local = timezone.localtime(moment, timezone.get_default_timezone())
    return moment - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def day_start(moment: datetime) -> datetime:
    """The gateway's midnight before."""
    return _midnight(moment, days=0)


def _hour_end(start: datetime) -> datetime:
    """An hour later, but never beyond midnight: in some places clocks are changed by half an hour."""
    return min(start + AN_HOUR, _midnight(start, days=1))


def _midnight(moment: datetime, *, days: int) -> datetime:
    zone = timezone.get_default_timezone()
    day = timezone.localtime(moment, zone).date() + timedelta(days=days)
    return datetime.combine(day, time.min, tzinfo=zone)


def _roll_up_one() -> bool:
    start = _first_hour()
    if start is None:
        return False
    settled = timezone.now() - SETTLES_AFTER
    end = _step_end(start, settled)
    if end > settled or _still_running(start, end):
        return False
    # Read before: SQLite lets nobody else write in a transaction that writes.
    return _write_hour(start, end, _hour(start, end))


@transaction.atomic
def _write_hour(start: datetime, end: datetime, made: Sequence[UsageRollup]) -> bool:
    if not RolledUp.objects.filter(until=start).update(until=end):
        return False
    UsageRollup.objects.bulk_create(made, batch_size=BATCH)
    midnight = _midnight(start, days=1)
    if end >= midnight:
        _write_day(day_start(start), midnight)
    return True


def _first_hour() -> datetime | None:
    """The first hour that is not rolled up; None before the first record."""
    until = rolled_until()
    if until is None:
        oldest = UsageRecord.objects.order_by("created_at").values_list("created_at", flat=True).first()
        if oldest is None:
            return None
        until = RolledUp.objects.get_or_create(pk=1, defaults={"until": hour_start(oldest)})[0].until
    return until


def _step_end(start: datetime, settled: datetime) -> datetime:
    """Where the hour at `start` ends; where it has no request, the hour of the next one begins, or of `settled`."""
    coming = UsageRecord.objects.filter(created_at__gte=start, created_at__lt=settled).order_by("created_at")
    ahead = hour_start(coming.values_list("created_at", flat=True).first() or settled)
    return ahead if ahead > start else _hour_end(start)


def _still_running(start: datetime, end: datetime) -> bool:
    running = UsageRecord.objects.filter(status=UsageStatus.OPEN, created_at__gte=start, created_at__lt=end)
    return running.exists()


def _hour(start: datetime, end: datetime) -> list[UsageRollup]:
    ended = UsageRecord.objects.filter(ENDED, created_at__gte=start, created_at__lt=end)
    rows = ended.order_by().values(*GROUPS).annotate(**tally.sums_of_records())
    made = _made(HOUR, start, rows)
    return [*made, *tally.by_model(HOUR_OF_ALL, start, made)]


def _write_day(start: datetime, end: datetime) -> None:
    UsageRollup.objects.filter(period=DAY, start=start).delete()
    hours = UsageRollup.objects.filter(period=HOUR, start__gte=start, start__lt=end)
    made = _made(DAY, start, hours.values(*GROUPS).annotate(**tally.sums_of_rollups()))
    UsageRollup.objects.bulk_create(made, batch_size=BATCH)


def _made(
    period: UsageRollup.Period, start: datetime, rows: QuerySet[UsageRecord] | QuerySet[UsageRollup]
) -> list[UsageRollup]:
    return [tally.rollup(period, start, row) for row in rows]  # type: ignore[arg-type]  # rows of values


@transaction.atomic
def _renew_days() -> None:
    """Days that began at another zone's midnight, from before the gateway's zone was changed, are summed anew. Hours
    are too, where they began at other minutes.
    """
    newest = UsageRollup.objects.filter(period=DAY).order_by("-start").values_list("start", flat=True).first()
    until = rolled_until()
    if newest is None or until is None or newest == day_start(newest):
        return
    if until != hour_start(until):
        UsageRollup.objects.all().delete()
        RolledUp.objects.all().delete()
        return
    UsageRollup.objects.filter(period=DAY).delete()
    oldest = UsageRollup.objects.filter(period=HOUR).earliest("start").start
    day = day_start(oldest)
    while (end := _midnight(day, days=1)) <= until:
        _write_day(day, end)
        day = end
