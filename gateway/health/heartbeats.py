"""Signs of life of the workers: a task that beat sends to each queue notes when it ran.

So a fresh one proves beat and broker as well as the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.utils import timezone

from gateway import __version__
from gateway.models import Heartbeat
from tokens.models import LoginAttempt

FRESH = timedelta(seconds=90)
"""Three beats: a worker that misses one or two is only busy."""


class Worker(StrEnum):
    """The workers by the queue that each of them empties."""

    LOGINS = "logins"
    LIVE = "live"
    CALLS = "calls"


@dataclass(frozen=True)
class Sign:
    """What is known of one worker. `seen_at`: its last sign of life, None where there never was one."""

    worker: Worker
    seen_at: datetime | None = None
    version: str = ""
    is_busy: bool = False

    @property
    def is_alive(self) -> bool:
        return self.is_busy or (self.seen_at is not None and timezone.now() - self.seen_at < FRESH)


def heartbeat_note(*, name: str) -> None:
    """The worker that runs this is alive."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "version": __version__})


def signs() -> list[Sign]:
    """What is known of each worker, in the order of `Worker`."""
    rows = {row.name: row for row in Heartbeat.objects.all()}
    busy = _busy()
    return [_sign(worker, rows.get(worker), worker in busy) for worker in Worker]


def _sign(worker: Worker, row: Heartbeat | None, is_busy: bool) -> Sign:
    return Sign(worker, row.at if row else None, row.version if row else "", is_busy)


def _busy() -> set[Worker]:
    """Workers whose logins hold a lease: while all their threads wait for Chrome they take no heartbeat."""
    running = LoginAttempt.objects.filter(ended_at=None, lease_until__gt=timezone.now())
    return {Worker.LIVE if live else Worker.LOGINS for live in running.values_list("live", flat=True)}
