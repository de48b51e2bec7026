"""Sums over requests, and what can be read off them: an unknown number stays unknown, and is never a zero."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.expressions import Combinable

from gateway.models import TokenSource, UsageRollup, UsageStatus

COUNTED = Q(prompt_tokens__isnull=False, completion_tokens__isnull=False)
LISTS = Q(endpoint="models")
"""`GET /v1/models`: clients ask by themselves, and nothing is asked of a model. Counted apart from requests."""
_ESTIMATED = COUNTED & Q(token_source=TokenSource.ESTIMATE)

SUMS = (
    *("requests", "failed", "cancelled", "lost", "lists"),
    *("prompt_tokens", "completion_tokens", "estimated_tokens", "counted"),
    *("first_token_ms", "first_tokens"),
)
"""The columns of a rollup that are summed."""


def sums_of_records() -> dict[str, Combinable]:
    """The sums as annotations of ended usage records."""
    return {
        _column("requests"): Count("pk", filter=~LISTS),
        _column("failed"): Count("pk", filter=Q(status=UsageStatus.FAILED) & ~LISTS),
        _column("cancelled"): Count("pk", filter=Q(status=UsageStatus.CANCELLED) & ~LISTS),
        _column("lost"): Count("pk", filter=Q(status=UsageStatus.LOST) & ~LISTS),
        _column("lists"): Count("pk", filter=LISTS),
        _column("prompt_tokens"): Sum("prompt_tokens", filter=COUNTED, default=0),
        _column("completion_tokens"): Sum("completion_tokens", filter=COUNTED, default=0),
        _column("estimated_tokens"): Sum(F("prompt_tokens") + F("completion_tokens"), filter=_ESTIMATED, default=0),
        _column("counted"): Count("pk", filter=COUNTED),
        _column("first_token_ms"): Sum("first_token_ms", default=0),
        _column("first_tokens"): Count("first_token_ms"),
    }


def sums_of_rollups() -> dict[str, Combinable]:
    """The same of rollups."""
    return {_column(name): Sum(name, default=0) for name in SUMS}


def columns(row: Mapping[str, Any]) -> dict[str, int]:
    """A row of either as columns of a rollup. PostgreSQL gives sums as decimals."""
    return {name: int(row[_column(name)]) for name in SUMS}


def rollup(period: UsageRollup.Period, start: Any, row: Mapping[str, Any]) -> UsageRollup:
    """A row of either, grouped by member, key and model, as a rollup."""
    return UsageRollup(
        period=period,
        start=start,
        member_id=row["member_id"],
        api_key_id=row["api_key_id"],
        model=row["model"],
        **columns(row),
    )


def by_model(period: UsageRollup.Period, start: Any, parts: Iterable[UsageRollup]) -> Iterator[UsageRollup]:
    """The rollups of one hour, added up to one for each model."""
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for part in parts:
        models[part.model].update({name: getattr(part, name) for name in SUMS})
    for model, sums in models.items():
        yield UsageRollup(period=period, start=start, model=model, **sums)


class Tally:
    """Sums over requests that have ended."""

    def __init__(self, *parts: Mapping[str, int] | Tally) -> None:
        self._sums: Counter[str] = Counter()
        for part in parts:
            self.add(part)

    def add(self, part: Mapping[str, int] | Tally) -> None:
        self._sums.update(part._sums if isinstance(part, Tally) else part)

    @property
    def requests(self) -> int:
        return self._sums["requests"]

    @property
    def failed(self) -> int:
        """Those that ended with an error."""
        return self._sums["failed"]

    @property
    def cancelled(self) -> int:
        """Those that their client left."""
        return self._sums["cancelled"]

    @property
    def lost(self) -> int:
        """Those whose process died."""
        return self._sums["lost"]

    @property
    def lists(self) -> int:
        """Lists of models: however they ended, none of them is a request here."""
        return self._sums["lists"]

    @property
    def errors(self) -> int:
        """Failed and lost."""
        return self.failed + self.lost

    @property
    def done(self) -> int:
        return self.requests - self.errors - self.cancelled

    @property
    def counted(self) -> int:
        """How many requests have token counts."""
        return self._sums["counted"]

    @property
    def prompt_tokens(self) -> int | None:
        """Of the requests that have counts; None where there were requests and none has."""
        return self._known("prompt_tokens")

    @property
    def completion_tokens(self) -> int | None:
        return self._known("completion_tokens")

    @property
    def tokens(self) -> int | None:
        """Prompt and completion."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return None if prompt is None or completion is None else prompt + completion

    @property
    def is_estimated(self) -> bool:
        """Whether a part of the tokens is estimated."""
        return self._sums["estimated_tokens"] > 0

    @property
    def estimated_share(self) -> float | None:
        """Of the tokens, 0 to 1; None where there are none."""
        return self._sums["estimated_tokens"] / self.tokens if self.tokens else None

    @property
    def first_token_ms(self) -> int | None:
        """The average time to the first token; None where no request has one."""
        number = self._sums["first_tokens"]
        return round(self._sums["first_token_ms"] / number) if number else None

    def _known(self, name: str) -> int | None:
        return self._sums[name] if self.counted or not self.requests else None


def _column(name: str) -> str:
    """The name of a sum in a query: Django allows no annotation with the name of a field."""
    return f"all_{name}"
