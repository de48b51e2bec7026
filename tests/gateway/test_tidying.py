"""What is erased once a day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import Member
from gateway import celery
from gateway.tasks import tidy_up

pytestmark = pytest.mark.django_db


def failure(minutes_ago: int) -> AccessAttempt:
    attempt = AccessAttempt.objects.create(username="alice", user_agent=str(minutes_ago), failures_since_start=1)
    AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=timezone.now() - timedelta(minutes=minutes_ago))
    return attempt


def test_ended_sessions_go_and_others_stay() -> None:
    for name in ("alice", "bob"):
        Client().force_login(Member.objects.create_user(name))
    ended, running = Session.objects.all()
    Session.objects.filter(pk=ended.pk).update(expire_date=timezone.now())
    tidy_up()
    assert Session.objects.get() == running


def test_wrong_sign_ins_go_when_no_lock_counts_them_any_more() -> None:
    failure(minutes_ago=16)
    counted = failure(minutes_ago=14)
    tidy_up()
    assert AccessAttempt.objects.get() == counted


def test_it_runs_once_a_day_by_the_clock() -> None:
    (entry,) = (entry for entry in celery.app.conf.beat_schedule.values() if entry["task"] == tidy_up.name)
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({20}, {40})
