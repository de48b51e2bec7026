"""Signs of life of the workers: a task that beat sends to each queue notes when it ran.

So a fresh one proves beat and broker as well as the worker. Beat notes its own, and the worker for logins the versions
of Chrome and its driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.utils import timezone

from gateway import __version__
from gateway.models import Heartbeat
from tokens.errors import ChromeMissing
from tokens.models import LoginAttempt
from tokens.programs import find_installed, version_of

FRESH = timedelta(seconds=90)
"""Three beats: a worker that misses one or two is only busy."""


class Worker(StrEnum):
    """The workers by the queue that each of them empties."""

    LOGINS = "logins"
    LIVE = "live"
    CALLS = "calls"


BEAT, CHROME, DRIVER = "beat", "chrome", "chromedriver"
"""What else has a heartbeat."""


@dataclass(frozen=True)
class Sign:
    """What is known of one part. `seen_at`: its last sign of life, None where there never was one."""

    name: str
    seen_at: datetime | None = None
    version: str = ""
    is_busy: bool = False

    @property
    def is_alive(self) -> bool:
        return self.is_busy or (self.seen_at is not None and timezone.now() - self.seen_at < FRESH)


def heartbeat_note(*, name: str, version: str = __version__) -> None:
    """What runs this is alive; or it has seen that the part of this `name` is."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "version": version})


def browser_note() -> None:
    """Which Chrome and driver are installed on this worker's machine; "" where none that fit each other are."""
    try:
        found = find_installed(chrome=settings.CHROME_BINARY or None, driver=settings.CHROMEDRIVER or None)
    except ChromeMissing:
        found = None
    heartbeat_note(name=CHROME, version=version_of(found.chrome) if found else "")
    heartbeat_note(name=DRIVER, version=version_of(found.driver) if found else "")


def signs() -> dict[str, Sign]:
    """What is known of each worker, of beat, of Chrome and of its driver."""
    rows = {row.name: row for row in Heartbeat.objects.all()}
    busy = _busy()
    return {name: _sign(name, rows.get(name), name in busy) for name in (*Worker, BEAT, CHROME, DRIVER)}


def _sign(name: str, row: Heartbeat | None, is_busy: bool) -> Sign:
    return Sign(name, row.at if row else None, row.version if row else "", is_busy)


def _busy() -> set[str]:
    """Workers whose logins hold a lease: while all their threads wait for Chrome they take no heartbeat."""
    running = LoginAttempt.objects.filter(ended_at=None, lease_until__gt=timezone.now())
    return {Worker.LIVE if live else Worker.LOGINS for live in running.values_list("live", flat=True)}
