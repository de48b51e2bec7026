"""The log of requests: filtered, and read in pages by key, so that the last page is as quick as the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Member
from gateway.models import UsageRecord, UsageRollup
from gateway.usage import rollups

PAGE = 50
MODELS_SINCE = timedelta(days=90)
RECENT = 5_000
"""So many of the newest records are looked at for models that no sums tell yet."""


@dataclass(frozen=True)
class Filters:
    """What is left empty narrows nothing. `since` is in, `until` is not; the playground's requests have no key."""

    key: int | None = None
    keys: Sequence[int] = ()
    without_key: bool = False
    model: str = ""
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    request_id: str = ""

    def applied(self, records: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        wanted = {
            "api_key": self.key,
            "api_key__in": self.keys,
            "api_key__isnull": self.without_key,
            "model": self.model,
            "status": self.status,
            "created_at__gte": self.since,
            "created_at__lt": self.until,
            "request_id": self.request_id,
        }
        return records.filter(**{name: value for name, value in wanted.items() if value})


@dataclass(frozen=True)
class Page:
    """`newer` and `older` are cursors for the pages beside this one, "" where there is none."""

    records: Sequence[UsageRecord]
    newer: str = ""
    older: str = ""


@dataclass(frozen=True)
class Cursor:
    """A place between two records: before (`newer`) or after (`older`) the one with this time and id."""

    newer: bool
    at: datetime
    id: int

    def __str__(self) -> str:
        microseconds = (self.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        return f"{'newer' if self.newer else 'older'}-{microseconds}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for what is no cursor: the first page then."""
        direction, _, place = text.partition("-")
        at, _, key = place.partition("-")
        if direction not in {"newer", "older"} or not (at.isdecimal() and key.isdecimal()):
            return None
        if len(at) > 17 or len(key) > 18:
            return None
        return cls(direction == "newer", datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at)), int(key))

    def applied(self, records: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        """The records on the cursor's side, the nearest first. The plain bound on the time is for the index."""
        if self.newer:
            later = Q(created_at__gt=self.at) | Q(id__gt=self.id)
            return records.filter(later, created_at__gte=self.at).order_by("created_at", "id")
        earlier = Q(created_at__lt=self.at) | Q(id__lt=self.id)
        return records.filter(earlier, created_at__lte=self.at).order_by("-created_at", "-id")


def page(records: QuerySet[UsageRecord], *, cursor: str = "", size: int = PAGE) -> Page:
    """The page at `cursor`, or the first: the newest records first, with their keys."""
    records = records.select_related("api_key")
    place = Cursor.parse(cursor)
    if place is None:
        found = list(records.order_by("-created_at", "-id")[: size + 1])
        return _page(found[:size], newer=False, older=len(found) > size)
    found = list(place.applied(records)[: size + 1])
    more, shown = len(found) > size, found[:size]
    if not place.newer:
        return _page(shown, newer=True, older=more)
    if not more:
        # The newest page is always full, and shows what came meanwhile.
        return page(records, size=size)
    return _page(shown[::-1], newer=True, older=True)


def _page(shown: Sequence[UsageRecord], *, newer: bool, older: bool) -> Page:
    if not shown:
        return Page(shown)
    first, last = shown[0], shown[-1]
    return Page(
        shown,
        newer=str(Cursor(True, first.created_at, first.pk)) if newer else "",
        older=str(Cursor(False, last.created_at, last.pk)) if older else "",
    )


def models_used(member: Member | None = None) -> list[str]:
    """The models of the last 90 days, the member's or everybody's: from sums, and from records that have none yet."""
    since = timezone.now() - MODELS_SINCE
    until = max(rollups.rolled_until() or since, since)
    if member is None:
        summed = UsageRollup.objects.filter(period=rollups.HOUR_OF_ALL, start__gte=since)
        recent = UsageRecord.objects.filter(created_at__gte=until)
    else:
        summed = UsageRollup.objects.filter(member=member, period=rollups.DAY, start__gte=since)
        recent = UsageRecord.objects.filter(member=member, created_at__gte=rollups.day_start(until))
    # Distinct ones in the database would be looked for among all records, in the order of the models' index.
    newest = recent.order_by("-created_at").values_list("model", flat=True)[:RECENT]
    both = {*summed.values_list("model", flat=True).distinct(), *newest}
    return sorted(both - {""})
