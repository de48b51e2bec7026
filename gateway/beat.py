"""The schedule's sender: it stops while nobody reads."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import beat
from django.db import Error, close_old_connections

from gateway.celery import CALLS, LOGINS
from gateway.health import heartbeats

log = structlog.get_logger(__name__)

SIGN_EVERY_SECONDS = 30
MAX_WAITING = 100
"""Messages in a queue above which nothing more is sent to it. Rows say what is due, so nothing is lost."""

FEEDS = {"tokens.send_due_logins": LOGINS}
"""Tasks that fill a further queue than the one in which they run."""


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # Celery is untyped
    """Keeps no file: no interval is long enough to be remembered over a restart, and what is daily goes by the clock.

    Messages expire only when a worker takes them out of the queue. While no worker runs they would pile up, and the
    embedded broker, which lists its folder for each message, would never work them off.
    """

    _signed_at = float("-inf")

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() - self._signed_at > SIGN_EVERY_SECONDS:
            self._signed_at = time.monotonic()
            _give_sign()
        return super().tick(*args, **kwargs)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        for queue in _queues(entry):
            if producer.channel.queue_declare(queue=queue, durable=True).message_count > MAX_WAITING:
                return None
        return super().apply_async(entry, producer=producer, advance=advance, **kwargs)


def _give_sign() -> None:
    """The schedule goes on without a database; its connection is not kept, for it may be gone by the next time."""
    try:
        heartbeats.heartbeat_note(name=heartbeats.BEAT)
    except Error as error:
        log.warning("beat's sign of life was not noted", error=type(error).__name__)
    finally:
        close_old_connections()


def _queues(entry: Any) -> set[str]:
    """Those that must not be full: its own, and the one that it feeds."""
    own = entry.options.get("queue", CALLS)
    return {own, FEEDS.get(entry.task, own)}
