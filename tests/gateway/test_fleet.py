"""What the admin's front page asks of all accounts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, LoginBlock, Member
from accounts.services import member_add
from gateway import spacer
from gateway.health import fleet
from gateway.models import Catalogue, Lane, UpstreamSession, UsageRecord
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.states import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24", xjtlu_password="x")


def session(account: Account, *, lease_minutes: int, school_id: int | None = 1, **fields: object) -> UpstreamSession:
    until = timezone.now() + timedelta(minutes=lease_minutes)
    return UpstreamSession.objects.create(account=account, school_id=school_id, lease_until=until, **fields)


def request(account: Account, request_id: str, *, lease_minutes: int = 1) -> UsageRecord:
    until = timezone.now() + timedelta(minutes=lease_minutes)
    return UsageRecord.objects.create(account=account, request_id=request_id, endpoint="x", lease_until=until)


def test_members_are_counted_by_the_state_of_their_accounts(account: Account) -> None:
    member_add(name="li", xjtlu_username="Li")
    Account.objects.filter(pk=account.pk).update(login_block=LoginBlock.NEEDS_YOU)
    Member.objects.create_user("new")
    Member.objects.create_user("helper", is_staff=True)
    members = fleet.members(fleet.briefs())
    assert members.by_state == {State.NEEDS_YOU: 1, State.LOGGED_OUT: 1}
    assert (members.total, members.without_account) == (3, 1)


def test_logins_of_the_last_day_are_counted_by_outcome_and_hour(account: Account) -> None:
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for hours in (0, 2, 2, 23, 24):
        asked = this_hour - timedelta(hours=hours)
        LoginAttempt.objects.create(
            account=account, trigger=Trigger.ADDED, created_at=asked, ended_at=asked, outcome=Outcome.FAILED
        )
    LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
    logins = fleet.logins()
    assert logins.numbers == {Outcome.FAILED: [1, *[0] * 20, 2, 0, 1]}
    assert (logins.hours[-1], len(logins.hours)) == (this_hour, 24)
    assert fleet.logins_running() == 1


def test_a_request_without_a_session_waits(account: Account) -> None:
    session(account, lease_minutes=1)
    request(account, "runs")
    request(account, "waits")
    request(account, "was lost in a crash", lease_minutes=-1)
    (busy,) = fleet.busiest()
    assert (busy.sessions, busy.running, busy.waiting) == (1, 1, 1)


def test_a_session_counts_once_the_school_has_given_its_id(account: Account) -> None:
    for number in range(12):
        session(account, lease_minutes=1, school_id=number if number < 2 else None)
        request(account, f"r{number}")
    (busy,) = fleet.busiest()
    assert (busy.sessions, busy.running, busy.waiting) == (2, 2, 10)


def test_sessions_that_serve_no_request_still_count_for_the_school(account: Account) -> None:
    session(account, lease_minutes=1, keep_alive=True)
    session(account, lease_minutes=-1, delete_at=timezone.now())
    (busy,) = fleet.busiest()
    assert (busy.sessions, busy.running) == (2, 0)


def test_who_waits_stands_before_who_has_sessions(account: Account) -> None:
    for number in range(3):
        session(member_add(name=f"m{number}", xjtlu_username=f"M{number}"), lease_minutes=1, keep_alive=True)
    request(account, "waits")
    assert [busy.username for busy in fleet.busiest()[:2]] == ["San.Zhang24", "M0"]


def test_sessions_that_others_made_count_while_they_are_remembered(account: Account) -> None:
    session(account, lease_minutes=1)
    lane = Lane.objects.create(account_id=account.pk, other_sessions=40, others_seen_at=spacer.now_ms() - 1000)
    assert fleet.busiest()[0].at_school == 41
    Lane.objects.filter(pk=lane.pk).update(others_seen_at=spacer.now_ms() - 2 * 86_400_000)
    assert fleet.busiest()[0].at_school == 1


def test_an_account_with_nothing_open_is_not_busy(account: Account) -> None:
    assert fleet.busiest() == []


def test_models_are_known_from_every_accounts_catalogue(account: Account) -> None:
    other = member_add(name="li", xjtlu_username="Li")
    Catalogue.objects.create(account=account, offered=[{"id": "a"}, {"id": "b"}])
    Catalogue.objects.create(account=other, offered=[{"id": "b"}, {"id": "c"}])
    assert fleet.known_models() == {"a", "b", "c"}
