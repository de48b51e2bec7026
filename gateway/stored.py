"""Responses that members asked to keep (`store`): sealed, for a day, and for their own member only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts import crypto
from gateway.models import StoredResponse

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Stored:
    """`turns`: the conversation up to and with the answer, as JSON-ready mappings. `response`: the object as given."""

    turns: Sequence[dict[str, Any]] = field(repr=False)
    response: dict[str, Any] = field(repr=False)


def save(response_id: str, member_id: int, stored: Stored) -> None:
    """Keep it from now on for `KEPT_FOR`."""
    row = StoredResponse(id=response_id, member_id=member_id, expires_at=timezone.now() + KEPT_FOR)
    row.content = crypto.seal(row, "content", json.dumps({"turns": list(stored.turns), "response": stored.response}))
    row.save(force_insert=True)


def find(response_id: str, member_id: int) -> Stored | None:
    """None where this member has none of this id, or where it has expired."""
    row = _live(response_id, member_id).first()
    return None if row is None else Stored(**json.loads(crypto.unseal(row, "content")))


def erase(response_id: str, member_id: int) -> bool:
    """Whether there was one to erase."""
    return _live(response_id, member_id).delete()[0] > 0


def erase_expired() -> None:
    StoredResponse.objects.filter(expires_at__lte=timezone.now()).delete()


def _live(response_id: str, member_id: int) -> QuerySet[StoredResponse]:
    return StoredResponse.objects.filter(pk=response_id, member_id=member_id, expires_at__gt=timezone.now())
