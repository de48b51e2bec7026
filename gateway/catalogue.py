"""The models that the school offers to an account, from a row: `/v1/models` answers also while the school is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Q
from django.utils import timezone

from gateway import database
from gateway.calls import Line
from gateway.models import Catalogue
from gateway.school.catalog import Model
from tokens.models import UpstreamToken

FRESH_FOR = timedelta(hours=1)
FRESH_ENOUGH_TO_REFUSE = timedelta(minutes=1)


class Offer(msgspec.Struct, frozen=True):
    """The models as last seen, and when (unix seconds for OpenAI's `created`)."""

    models: tuple[Model, ...]
    fetched_at: datetime

    def find(self, model_id: str) -> Model | None:
        return next((model for model in self.models if model.id == model_id), None)

    @property
    def may_be_outdated(self) -> bool:
        return timezone.now() - self.fetched_at > FRESH_ENOUGH_TO_REFUSE


def stored(account_id: UUID) -> Offer | None:
    """What was last seen; None where the account has never been asked."""
    row = Catalogue.objects.filter(account_id=account_id).first()
    if row is None:
        return None
    return Offer(msgspec.convert(row.offered, tuple[Model, ...]), row.fetched_at)


async def refresh(line: Line) -> Offer:
    """Ask the school and keep the answer."""
    models = await line.call(lambda client: client.config())
    return await database.run(store, line.account_id, models)


def store(account_id: UUID, models: Sequence[Model]) -> Offer:
    """Keep what the school offers now."""
    offer = Offer(tuple(models), timezone.now())
    offered: list[dict[str, Any]] = msgspec.to_builtins(offer.models)
    Catalogue.objects.update_or_create(
        account_id=account_id, defaults={"offered": offered, "fetched_at": offer.fetched_at}
    )
    return offer


def accounts_due() -> list[UUID]:
    """Accounts with a token whose catalogue is older than an hour, or missing."""
    alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    tokens = UpstreamToken.objects.filter(
        alive, dead_at=None, account__paused_at=None, account__member__leaving_at=None
    )
    missing = tokens.filter(account__catalogue=None)
    old = tokens.filter(account__catalogue__fetched_at__lt=timezone.now() - FRESH_FOR)
    return list((missing | old).values_list("account_id", flat=True))
