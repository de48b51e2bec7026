"""Leases on rows that a running request owns.

While this process lives it renews them; when it dies, or a request ends without telling the database, they run out and
a task cleans up. Leaving the block needs no database, so that it cannot be prevented.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import Error, models
from django.utils import timezone

from gateway import database

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
RENEW_EVERY_SECONDS = 15.0

_held: dict[type[models.Model], set[Any]] = defaultdict(set)


def lease_end() -> datetime:
    return timezone.now() + LEASE


@contextmanager
def held(row: models.Model) -> Iterator[None]:
    """Renew the row's `lease_until` while the block runs."""
    _held[type(row)].add(row.pk)
    try:
        yield
    finally:
        _held[type(row)].discard(row.pk)


async def renew_for_ever() -> None:
    """The web process's heartbeat."""
    while True:
        await asyncio.sleep(RENEW_EVERY_SECONDS)
        for model, keys in list(_held.items()):
            if keys:
                await database.run(_renew, model, list(keys))


def _renew(model: type[models.Model], keys: list[Any]) -> None:
    try:
        model._default_manager.filter(pk__in=keys).update(lease_until=lease_end())
    except Error as error:
        log.warning("leases were not renewed", error=type(error).__name__)
