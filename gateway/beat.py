"""The schedule's sender: it stops while nobody reads."""

from __future__ import annotations

from typing import Any

from celery import beat

from gateway.celery import CALLS, LOGINS

MAX_WAITING = 100
"""Messages in a queue above which nothing more is sent to it. Rows say what is due, so nothing is lost."""

FEEDS = {"tokens.send_due_logins": LOGINS}
"""Tasks that fill a further queue than the one in which they run."""


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # Celery is untyped
    """Keeps no file: no interval is long enough to be remembered over a restart, and what is daily goes by the clock.

    Messages expire only when a worker takes them out of the queue. While no worker runs they would pile up, and the
    embedded broker, which lists its folder for each message, would never work them off.
    """

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        for queue in _queues(entry):
            if producer.channel.queue_declare(queue=queue, durable=True).message_count > MAX_WAITING:
                return None
        return super().apply_async(entry, producer=producer, advance=advance, **kwargs)


def _queues(entry: Any) -> set[str]:
    """Those that must not be full: its own, and the one that it feeds."""
    own = entry.options.get("queue", CALLS)
    return {own, FEEDS.get(entry.task, own)}
