"""The Celery application: three queues, one static schedule. Rows are the truth; tasks only carry ids."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import structlog
from celery import Celery, signals
from celery.exceptions import SecurityWarning
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

LOGINS = "logins"
LIVE = "live"
CALLS = "calls"

log = structlog.get_logger(__name__)
# Messages are JSON and carry ids alone: what Celery fears of workers that run as root does not apply.
warnings.simplefilter("ignore", SecurityWarning)

app = Celery("gateway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue=CALLS,
    # Where Chrome runs, it is also ended.
    task_routes={
        "tokens.log_in": {"queue": LOGINS},
        "tokens.log_in_live": {"queue": LIVE},
        "tokens.sweep_chromes": {"queue": LOGINS},
    },
    task_ignore_result=True,
    task_acks_late=False,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    beat_scheduler="gateway.beat:Scheduler",
    # Each expires before the next comes: after a pause the queue holds one of each, not hundreds.
    beat_schedule={
        **{
            f"heartbeat of {queue}": {
                "task": "gateway.note_heartbeat",
                "schedule": 30,
                "args": [queue],
                "options": {"queue": queue, "expires": 30},
            }
            for queue in (LOGINS, LIVE, CALLS)
        },
        "logins due": {"task": "tokens.send_due_logins", "schedule": 5, "options": {"expires": 5}},
        "refreshes due": {"task": "tokens.send_due_refreshes", "schedule": 15, "options": {"expires": 15}},
        "sessions due": {"task": "gateway.send_due_cleanups", "schedule": 2, "options": {"expires": 2}},
        "keep-alives due": {
            "task": "gateway.send_due_keep_alives",
            "schedule": 30,
            "options": {"expires": 30},
        },
        "catalogues due": {"task": "gateway.send_due_catalogues", "schedule": 60, "options": {"expires": 60}},
        "lost usage": {"task": "gateway.close_lost_usage", "schedule": 60, "options": {"expires": 60}},
        "usage to roll up": {"task": "gateway.roll_up_usage", "schedule": 60, "options": {"expires": 60}},
        "responses expired": {
            "task": "gateway.erase_expired_responses",
            "schedule": 300,
            "options": {"expires": 300},
        },
        "members leaving": {
            "task": "gateway.remove_leaving_members",
            "schedule": 15,
            "options": {"expires": 15},
        },
        # By the clock (UTC): beat forgets at a restart how much of an interval has passed.
        "rubbish": {
            "task": "gateway.tidy_up",
            "schedule": crontab(hour="20", minute="40"),
            "options": {"expires": 3600},
        },
    },
)
app.autodiscover_tasks(["tokens", "gateway"])
# Otherwise it is the application of this thread alone, and others send their tasks to a broker that nobody has set up.
app.set_default()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """With a receiver here Celery leaves logging alone. A line for each beat of the schedule tells nobody anything."""
    logging.getLogger("celery").setLevel(logging.WARNING)


@signals.worker_ready.connect
def say_ready(sender: Any, **_: Any) -> None:
    log.info("worker ready", worker=sender.hostname.partition("@")[0])
