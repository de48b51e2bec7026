"""How the parts of the installation are, for the admin's front page and the management API.

Asked by the web process of itself. Nothing here calls the school, and nothing waits longer than a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import channels
import kombu
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
from gateway.health.heartbeats import BEAT, CHROME, DRIVER, Sign, Worker

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
    """Web process, workers, beat, Chrome, broker, database, channel layer, school: in this order."""
    signs = heartbeats.signs()
    workers = [signs[worker] for worker in Worker]
    return [
        *(_web(), *map(_worker, workers), _beat(signs[BEAT]), _chrome(signs[CHROME], signs[DRIVER])),
        *(_broker(workers), _database(), _channel_layer(), _school()),
    ]


def _web() -> Component:
    detail = _("Running since %(moment)s.") % {"moment": formats.moment(STARTED_AT)}
    return Component("web", "good", _("Web process"), detail, __version__)


def _worker(sign: Sign) -> Component:
    labels = {
        Worker.LOGINS: _("Worker for logins"),
        Worker.LIVE: _("Worker for live logins"),
        Worker.CALLS: _("Worker for calls"),
    }
    start = _("Last seen %(time)s. Start the worker and beat again; see the gateway's log.")
    state, detail = _process_state(sign, start)
    return Component(sign.name, state, labels[Worker(sign.name)], detail, sign.version)


def _beat(sign: Sign) -> Component:
    start = _("Last seen %(time)s. Start beat again: without it nothing is done in the background.")
    state, detail = _process_state(sign, start)
    return Component(BEAT, state, _("Schedule (beat)"), detail, sign.version)


def _process_state(sign: Sign, start: str) -> tuple[State, str]:
    """`start` says what to do where it has fallen silent."""
    seen = {"time": formats.relative(sign.seen_at)}
    if sign.is_alive and sign.version not in ("", __version__):
        return "warn", _("It runs another version than the web process. Restart the gateway.")
    if sign.is_busy:
        return "good", _("Busy with logins.")
    if sign.is_alive:
        return "good", _("Seen %(time)s.") % seen
    if sign.seen_at is None:
        return "warn", _("Not seen yet. It reports within a minute of its start; see the gateway's log.")
    return "bad", start % seen


def _chrome(chrome: Sign, driver: Sign) -> Component:
    state, detail = _chrome_state(chrome, driver)
    return Component(CHROME, state, _("Chrome for logins"), detail, chrome.version)


def _chrome_state(chrome: Sign, driver: Sign) -> tuple[State, str]:
    if chrome.seen_at is None:
        return "quiet", _("Unknown: the worker for logins tells it within a minute of its start.")
    if not chrome.version:
        return "quiet", _("None is installed with a driver of its version. A login fetches what is missing, if it can.")
    told = {"version": driver.version, "time": formats.relative(chrome.seen_at)}
    return "good", _("Its driver is %(version)s. The worker for logins saw both %(time)s.") % told


def _broker(workers: list[Sign]) -> Component:
    embedded = settings.CELERY_BROKER_URL.startswith("filesystem:")
    version = f"kombu {kombu.__version__}" if embedded else _redis_version(settings.CELERY_BROKER_URL)
    state, detail = _broker_state(workers, reachable=version is not None)
    label = _("Broker (embedded)") if embedded else _("Broker (Redis)")
    return Component("broker", state, label, detail, version or "")


def _broker_state(workers: list[Sign], *, reachable: bool) -> tuple[State, str]:
    if not reachable:
        return "bad", _("Redis does not answer. Check that it runs and that CELERY_BROKER_URL names it.")
    if any(sign.is_alive for sign in workers):
        return "good", _("It delivers tasks to the workers.")
    return "warn", _("No worker has taken a task lately. See the workers above.")


def _database() -> Component:
    name = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    # Not `applied_migrations`, which looks for the table first: the gateway does not start without it.
    waiting = len(_migrations() - set(MigrationRecorder.Migration.objects.values_list("app", "name")))
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
        return Component("channels", "good", _("Live pages (in memory)"), detail, f"channels {channels.__version__}")
    label = _("Live pages (Redis)")
    if (version := _redis_version(settings.REDIS_URL)) is not None:
        return Component("channels", "good", label, _("Redis answers."), version)
    detail = _("Redis does not answer. Check that it runs and that REDIS_URL names it.")
    return Component("channels", "bad", label, detail)


def _redis_version(url: str) -> str | None:
    """None where it does not answer; "" where it keeps its version to itself."""
    client = redis.Redis.from_url(
        url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    try:
        return f"Redis {client.info('server')['redis_version']}"
    except redis.ResponseError:
        return ""
    except redis.RedisError:
        return None
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
