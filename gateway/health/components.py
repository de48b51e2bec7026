"""How the parts of the installation are, for the admin's front page and the management API.

Asked by the web process of itself. Nothing here calls the school, and nothing waits longer than a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway import STARTED_AT, __version__, formats
from gateway.health import heartbeats
from gateway.health import school as schoolwatch
from gateway.health.heartbeats import Sign, Worker

State = Literal["good", "warn", "bad", "quiet"]
"""As the tones of a badge: works, look at it, broken, unknown."""

PING_SECONDS = 0.5
OUTAGE = 3
"""Failures in a row that are taken for an outage of the school; fewer may be chance."""


@dataclass(frozen=True)
class Component:
    """One part. `name` is for programs; `label` and `detail` are for people, in their language; `version` may be ""."""

    name: str
    state: State
    label: str
    detail: str
    version: str = ""


def health() -> list[Component]:
    """Web process, workers, broker, database, channel layer, school: in this order."""
    signs = heartbeats.signs()
    return [_web(), *map(_worker, signs), _broker(signs), _database(), _channel_layer(), _school()]


def _web() -> Component:
    detail = _("Running since %(moment)s.") % {"moment": formats.moment(STARTED_AT)}
    return Component("web", "good", _("Web process"), detail, __version__)


def _worker(sign: Sign) -> Component:
    labels = {
        Worker.LOGINS: _("Worker for logins"),
        Worker.LIVE: _("Worker for live logins"),
        Worker.CALLS: _("Worker for calls"),
    }
    state, detail = _worker_state(sign)
    return Component(sign.worker.value, state, labels[sign.worker], detail, sign.version)


def _worker_state(sign: Sign) -> tuple[State, str]:
    seen = {"time": formats.relative(sign.seen_at)}
    if sign.is_alive and sign.version not in ("", __version__):
        return "warn", _("It runs another version than the web process. Restart the gateway.")
    if sign.is_busy:
        return "good", _("Busy with logins.")
    if sign.is_alive:
        return "good", _("Seen %(time)s.") % seen
    if sign.seen_at is None:
        return "warn", _("Not seen yet. It reports within a minute of its start; see the gateway's log.")
    return "bad", _("Last seen %(time)s. Start the worker and beat again; see the gateway's log.") % seen


def _broker(signs: list[Sign]) -> Component:
    embedded = settings.CELERY_BROKER_URL.startswith("filesystem:")
    state, detail = _broker_state(signs, reachable=embedded or _redis_answers(settings.CELERY_BROKER_URL))
    return Component("broker", state, _("Broker (embedded)") if embedded else _("Broker (Redis)"), detail)


def _broker_state(signs: list[Sign], *, reachable: bool) -> tuple[State, str]:
    if not reachable:
        return "bad", _("Redis does not answer. Check that it runs and that CELERY_BROKER_URL names it.")
    if any(sign.is_alive for sign in signs):
        return "good", _("It delivers tasks to the workers.")
    return "warn", _("No worker has taken a task lately. See the workers above.")


def _database() -> Component:
    name = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    waiting = len(_migrations() - set(MigrationRecorder(connection).applied_migrations()))
    if waiting:
        detail = _("%(number)d changes of the database wait. Run manage.py migrate.") % {"number": waiting}
        return Component("database", "bad", _("Database"), detail, f"{name} {_database_version()}")
    detail = _("It answers; it holds %(size)s.") % {"size": filesizeformat(_database_bytes())}
    return Component("database", "good", _("Database"), detail, f"{name} {_database_version()}")


def _database_version() -> str:
    numbers = connection.get_database_version()
    return ".".join(map(str, numbers))


def _database_bytes() -> int:
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.is_file())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


@cache
def _migrations() -> set[tuple[str, str]]:
    """All that the code knows. Read from the files once: they change only with a restart."""
    return set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {})


def _channel_layer() -> Component:
    if not settings.REDIS_URL:
        detail = _("In memory: enough for one web process. Several need REDIS_URL.")
        return Component("channels", "good", _("Live pages (in memory)"), detail)
    label = _("Live pages (Redis)")
    if _redis_answers(settings.REDIS_URL):
        return Component("channels", "good", label, _("Redis answers."))
    detail = _("Redis does not answer. Check that it runs and that REDIS_URL names it.")
    return Component("channels", "bad", label, detail)


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(
        url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _school() -> Component:
    state, detail = _school_state(schoolwatch.outlook())
    return Component("school", state, _("School"), detail)


def _school_state(outlook: schoolwatch.Outlook) -> tuple[State, str]:
    if outlook.failing_since is None and outlook.good_at is None:
        return "quiet", _("Unknown: no request or login reached it in the last 24 hours.")
    if outlook.failing_since is None:
        return "good", _("Its last good answer came %(time)s.") % {"time": formats.relative(outlook.good_at)}
    values = {
        "since": formats.moment(outlook.failing_since),
        "good": formats.moment(outlook.good_at),
        "number": outlook.failures,
    }
    detail = _("Failing since %(since)s, %(number)d times in a row. Its last good answer came at %(good)s.") % values
    return ("bad" if outlook.failures >= OUTAGE else "warn"), detail
