"""How often people may log an account in, whichever way they take."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, LoginBlock
from accounts.services import member_add
from gateway.errors import LoginLimitReached
from tokens import logins
from tokens.limits import HOUR, LOGINS_AN_HOUR, next_login_at
from tokens.live.asking import live_ask
from tokens.models import LoginAttempt, Trigger

pytestmark = pytest.mark.django_db
NOWHERE = "ws://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.current_app.send_task", lambda *args, **kwargs: None)


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="secret-1")


def logged_in(account: Account, number: int = LOGINS_AN_HOUR, trigger: Trigger = Trigger.PERSON) -> list[LoginAttempt]:
    """That many ended logins, a minute each, the newest just now."""
    now = timezone.now()
    return [
        LoginAttempt.objects.create(
            account=account, trigger=trigger, started_at=now - timedelta(minutes=ago), ended_at=now, live=ago % 2 == 1
        )
        for ago in reversed(range(number))
    ]


def test_after_six_the_next_is_possible_an_hour_after_the_first(account: Account) -> None:
    logged_in(account, LOGINS_AN_HOUR - 1)
    assert next_login_at(account) is None
    LoginAttempt.objects.all().delete()
    oldest, *_ = logged_in(account)
    assert oldest.started_at is not None
    assert next_login_at(account) == oldest.started_at + HOUR
    LoginAttempt.objects.filter(pk=oldest.pk).update(started_at=timezone.now() - HOUR)
    assert next_login_at(account) is None


@pytest.mark.parametrize("trigger", [Trigger.REFRESH, Trigger.REQUEST])
def test_logins_by_the_gateway_itself_are_not_counted(account: Account, trigger: Trigger) -> None:
    logged_in(account, trigger=trigger)
    assert next_login_at(account) is None


def test_a_login_that_never_got_a_browser_is_not_counted(account: Account) -> None:
    logged_in(account)
    LoginAttempt.objects.update(started_at=None)
    assert next_login_at(account) is None


def test_another_accounts_logins_are_not_counted(account: Account) -> None:
    logged_in(member_add(name="bob", xjtlu_username="Si.Li22"))
    assert next_login_at(account) is None


def test_both_ways_are_refused_and_what_blocks_the_account_stays(account: Account) -> None:
    logged_in(account)
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
    with pytest.raises(LoginLimitReached):
        logins.login_ask(account=account, trigger=Trigger.PERSON, limited=True)
    with pytest.raises(LoginLimitReached):
        live_ask(account=account, web_url=NOWHERE)
    account.refresh_from_db()
    assert account.login_block == LoginBlock.WRONG_PASSWORD
    assert not LoginAttempt.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("live", [True, False])
def test_the_one_that_is_open_is_shown_again(account: Account, live: bool) -> None:
    logged_in(account)
    opened = LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON, live=live)
    assert logins.login_ask(account=account, trigger=Trigger.PERSON, limited=True) == opened
    if live:
        assert live_ask(account=account, web_url=NOWHERE) == opened


def test_without_the_limit_there_is_none(account: Account) -> None:
    logged_in(account)
    assert logins.login_ask(account=account, trigger=Trigger.PERSON)
