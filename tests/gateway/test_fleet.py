"""What the admin's front page asks of all accounts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, LoginBlock, Member
from accounts.services import member_add
from gateway.health import fleet
from gateway.models import Catalogue, UpstreamSession, UsageRecord
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.states import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24", xjtlu_password="x")


def session(account: Account, *, lease_minutes: int, **fields: object) -> UpstreamSession:
    until = timezone.now() + timedelta(minutes=lease_minutes)
    return UpstreamSession.objects.create(account=account, lease_until=until, **fields)


def request(account: Account, request_id: str, *, lease_minutes: int = 1) -> UsageRecord:
    until = timezone.now() + timedelta(minutes=lease_minutes)
    return UsageRecord.objects.create(account=account, request_id=request_id, endpoint="x", lease_until=until)


def test_members_are_counted_by_the_state_of_their_accounts(account: Account) -> None:
    member_add(name="li", xjtlu_username="Li")
    Account.objects.filter(pk=account.pk).update(login_block=LoginBlock.NEEDS_YOU)
    Member.objects.create_user("helper", is_staff=True)
    members = fleet.members(fleet.stated_accounts())
    assert members.by_state == {State.NEEDS_YOU: 1, State.LOGGED_OUT: 1}
    assert (members.total, members.without_account) == (3, 1)


def test_logins_of_the_last_day_are_counted_by_outcome(account: Account) -> None:
    now = timezone.now()
    for hours in (1, 2, 30):
        ended = now - timedelta(hours=hours)
        LoginAttempt.objects.create(
            account=account, trigger=Trigger.ADDED, ended_at=ended, outcome=Outcome.FAILED, created_at=ended
        )
    LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
    assert fleet.logins_by_outcome() == {"failed": 2}
    assert fleet.logins_running() == 1


def test_a_request_without_a_session_waits(account: Account) -> None:
    session(account, lease_minutes=1)
    request(account, "runs")
    request(account, "waits")
    request(account, "was lost in a crash", lease_minutes=-1)
    busy = fleet.busiest([account])[0]
    assert (busy.sessions, busy.running, busy.waiting) == (1, 1, 1)


def test_sessions_that_serve_no_request_still_count_for_the_school(account: Account) -> None:
    session(account, lease_minutes=1, keep_alive=True)
    session(account, lease_minutes=-1, delete_at=timezone.now())
    busy = fleet.busiest([account])[0]
    assert (busy.sessions, busy.running) == (2, 0)


def test_an_account_with_nothing_open_is_not_busy(account: Account) -> None:
    assert fleet.busiest([account]) == []


def test_models_are_known_from_every_accounts_catalogue(account: Account) -> None:
    other = member_add(name="li", xjtlu_username="Li")
    Catalogue.objects.create(account=account, offered=[{"id": "a"}, {"id": "b"}])
    Catalogue.objects.create(account=other, offered=[{"id": "b"}, {"id": "c"}])
    assert fleet.known_models() == {"a", "b", "c"}
