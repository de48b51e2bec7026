"""The health of the parts, told from rows alone."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account
from accounts.services import member_add
from gateway import __version__, celery
from gateway.beat import Scheduler
from gateway.health.components import Component, health
from gateway.health.heartbeats import FRESH, Worker
from gateway.models import Catalogue, Heartbeat, UsageRecord, UsageStatus
from gateway.tasks import note_heartbeat
from tokens.models import LoginAttempt, Outcome, Trigger

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis, where the machine is busy."""
    monkeypatch.setattr("gateway.health.components.PING_SECONDS", 30)


def part(name: str) -> Component:
    return next(component for component in health() if component.name == name)


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="Alice.A24")


def request(number: int, *, minutes_ago: int, **fields: Any) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    UsageRecord.objects.create(request_id=f"r{number}", created_at=at, **{"endpoint": "chat/completions", **fields})


def login(account: Account, outcome: Outcome, *, live: bool = False) -> None:
    LoginAttempt.objects.create(
        account=account, trigger=Trigger.PERSON, ended_at=timezone.now(), outcome=outcome, live=live
    )


GOOD: dict[str, Any] = {"status": UsageStatus.DONE, "first_token_ms": 300}
BAD: dict[str, Any] = {"status": UsageStatus.FAILED, "error_code": "school_unreachable"}


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert part("web").version == __version__


class TestWorkers:
    def test_each_has_a_heartbeat_on_its_queue(self) -> None:
        beats = [entry for entry in celery.app.conf.beat_schedule.values() if entry["task"] == note_heartbeat.name]
        assert {beat["options"]["queue"] for beat in beats} == {beat["args"][0] for beat in beats} == set(Worker)
        assert all(beat["schedule"] < FRESH.total_seconds() for beat in beats)

    def test_one_that_was_never_seen_is_to_be_looked_at(self) -> None:
        assert [part(worker).state for worker in Worker] == ["warn", "warn", "warn"]

    def test_one_with_a_fresh_heartbeat_is_good(self) -> None:
        note_heartbeat("calls")
        assert (part("calls").state, part("calls").version) == ("good", __version__)
        assert part("broker").state == "good"

    def test_one_that_fell_silent_is_bad(self) -> None:
        Heartbeat.objects.create(name="calls", at=timezone.now() - FRESH)
        assert part("calls").state == "bad"
        assert part("broker").state == "warn"

    def test_one_of_another_version_is_to_be_restarted(self) -> None:
        Heartbeat.objects.create(name="calls", version="0.0.1")
        assert part("calls").state == "warn"

    @pytest.mark.parametrize(("live", "name"), [(False, "logins"), (True, "live")])
    def test_one_whose_browsers_are_all_busy_is_good(self, account: Account, live: bool, name: str) -> None:
        Heartbeat.objects.create(name=name, at=timezone.now() - 2 * FRESH)
        lease = timezone.now() + timedelta(seconds=30)
        LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON, live=live, lease_until=lease)
        assert part(name).state == "good"


class TestBeat:
    @pytest.mark.django_db(transaction=True)
    def test_it_signs_while_it_sends(self) -> None:
        assert part("beat").state == "warn"
        Scheduler(celery.app, lazy=True).tick()
        assert (part("beat").state, part("beat").version) == ("good", __version__)

    def test_one_that_fell_silent_is_bad(self) -> None:
        Heartbeat.objects.create(name="beat", at=timezone.now() - FRESH)
        assert part("beat").state == "bad"


class TestChrome:
    def test_its_version_comes_from_the_worker_for_logins(self) -> None:
        assert part("chrome").state == "quiet"
        note_heartbeat("logins")
        chrome = part("chrome")
        assert chrome.state == "good"
        assert re.fullmatch(r"\d+(\.\d+){3}", chrome.version)
        assert f"Its driver is {chrome.version.split('.')[0]}." in chrome.detail

    def test_without_one_that_runs_it_is_unknown(self, settings: Settings) -> None:
        settings.CHROME_BINARY = "/nowhere/chrome"
        note_heartbeat("logins")
        assert (part("chrome").state, part("chrome").version) == ("quiet", "")


class TestServices:
    def test_the_database_says_what_it_is(self) -> None:
        assert part("database").state == "good"
        assert part("database").version.split()[0] in {"SQLite", "PostgreSQL"}

    def test_a_database_that_waits_for_a_migration_is_bad(self) -> None:
        MigrationRecorder.Migration.objects.filter(app="gateway").latest("pk").delete()
        assert part("database").state == "bad"

    def test_a_redis_that_does_not_answer_is_bad(self, settings: Settings) -> None:
        settings.CELERY_BROKER_URL = settings.REDIS_URL = "redis://127.0.0.1:1/0"
        note_heartbeat("calls")
        assert (part("broker").state, part("channels").state) == ("bad", "bad")

    def test_without_redis_the_layer_is_in_memory(self, settings: Settings) -> None:
        settings.REDIS_URL = ""
        assert part("channels").state == "good"
        assert part("channels").version.startswith("channels ")

    def test_the_embedded_broker_says_what_it_is(self, settings: Settings) -> None:
        settings.CELERY_BROKER_URL = "filesystem://embedded"
        assert part("broker").version.startswith("kombu ")

    @pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="needs REDIS_URL, as in make test-services")
    def test_redis_says_what_it_is(self, settings: Settings) -> None:
        settings.CELERY_BROKER_URL = settings.REDIS_URL = os.environ["REDIS_URL"]
        assert re.fullmatch(r"Redis \d+(\.\d+)+", part("broker").version)
        assert part("channels").version == part("broker").version


class TestSchool:
    def test_without_requests_it_is_unknown(self) -> None:
        assert part("school").state == "quiet"

    def test_it_is_good_after_an_answer(self) -> None:
        request(1, minutes_ago=9, **BAD)
        request(2, minutes_ago=5, **GOOD)
        assert part("school").state == "good"

    def test_one_failure_may_be_chance(self) -> None:
        request(1, minutes_ago=9, **GOOD)
        request(2, minutes_ago=5, **BAD)
        assert part("school").state == "warn"

    def test_failures_in_a_row_are_an_outage(self) -> None:
        for number in range(3):
            request(number, minutes_ago=number, **BAD)
        assert part("school").state == "bad"

    def test_what_is_wrong_with_one_request_says_nothing_of_the_school(self) -> None:
        request(1, minutes_ago=1, status=UsageStatus.FAILED, error_code="content_filter")
        assert part("school").state == "quiet"

    def test_lists_of_models_hide_no_request_however_many_they_are(self) -> None:
        request(0, minutes_ago=300, **GOOD)
        for number in range(1, 121):
            request(number, minutes_ago=1, status=UsageStatus.DONE, endpoint="models")
        assert part("school").state == "good"

    def test_a_fresh_catalogue_speaks_for_it_at_night(self, account: Account) -> None:
        Catalogue.objects.create(account=account)
        assert part("school").state == "good"
        Catalogue.objects.update(fetched_at=timezone.now() - timedelta(days=2))
        assert part("school").state == "quiet"

    def test_a_login_speaks_for_it_too(self, account: Account) -> None:
        request(1, minutes_ago=5, **BAD)
        login(account, Outcome.CAPTURED)
        assert part("school").state == "good"

    @pytest.mark.parametrize("outcome", [Outcome.WRONG_PASSWORD, Outcome.NEEDS_YOU])
    def test_a_sign_on_that_refuses_or_asks_is_there(self, account: Account, outcome: Outcome) -> None:
        login(account, outcome)
        assert part("school").state == "good"

    def test_a_live_login_that_its_member_left_says_nothing(self, account: Account) -> None:
        login(account, Outcome.FAILED, live=True)
        assert part("school").state == "quiet"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_part_has_its_words(language: str, settings: Settings) -> None:
    settings.LANGUAGE_CODE = language
    assert all(component.label and component.detail for component in health())
