"""What a live login means for the account, and how its end is told. The sockets are in tests/gateway."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, LoginBlock
from accounts.services import member_add
from gateway.login_progress import progress
from tests.tokens.test_logins import CAPTURE
from tokens import errors, logins, running, tasks, verdicts
from tokens.capture import Capture
from tokens.live import asking as live
from tokens.live.link import AWAY, BROKE
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.verdicts import NEVER_BEGUN

pytestmark = pytest.mark.django_db
NOWHERE = "ws://127.0.0.1:9"

Story = Callable[..., Capture]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were handed to the broker."""
    names: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, args, **_: names.append(name))
    return names


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="secret-1", email="a@example.com")


def ends(monkeypatch: pytest.MonkeyPatch, error: errors.LoginError | None, *, asked: str = "") -> list[str | None]:
    """Put a story in Chrome's place: it submits the password, meets what is asked, and ends. Its passwords."""
    passwords: list[str | None] = []

    def told(*, watcher: running.Watcher, password: str | None, **_: Any) -> Capture:
        passwords.append(password)
        if password:
            watcher.before_password()
        if asked:
            watcher.asked(asked, "The sign-on asks for a captcha.")
        if error is not None:
            raise error
        return CAPTURE

    monkeypatch.setattr(running, "log_in", told)
    return passwords


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a web process."""
    monkeypatch.setattr(running, "_viewer", lambda attempt, watcher, password: nullcontext())


def run(account: Account) -> LoginAttempt:
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    return running.login_run(attempt_id=attempt.pk, live=True)


@pytest.mark.usefixtures("linked")
def test_leaving_a_captcha_takes_the_try_back_and_waits_for_the_person(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends(monkeypatch, errors.PersonLeft(AWAY), asked="captcha")
    attempt = run(account)
    account.refresh_from_db()
    assert (attempt.outcome, attempt.message, attempt.asked) == (Outcome.FAILED, AWAY, "")
    assert (account.password_tries, account.login_block) == (0, LoginBlock.NEEDS_YOU)
    assert account.login_block_reason == "The sign-on asks for a captcha."


@pytest.mark.usefixtures("linked")
def test_running_out_of_time_at_a_captcha_is_the_same(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, errors.LoginTimedOut("The login did not end within 300 s."), asked="captcha")
    run(account)
    account.refresh_from_db()
    assert (account.password_tries, account.login_block) == (0, LoginBlock.NEEDS_YOU)


@pytest.mark.usefixtures("linked")
def test_leaving_before_anything_was_asked_blocks_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ends(monkeypatch, errors.PersonLeft(AWAY))
    run(account)
    account.refresh_from_db()
    # What the sign-on thought of the password is not known: the try stands.
    assert (account.password_tries, account.login_block) == (1, LoginBlock.NONE)


def died(account: Account, *, asked: str) -> LoginAttempt:
    """A live login that submitted the password, whose worker was killed since."""
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    LoginAttempt.objects.update(started_at=timezone.now(), asked=asked, process_group=7)
    attempt.refresh_from_db()
    running.Watcher(attempt, lambda asked: None, lambda line: None).before_password()
    LoginAttempt.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    return attempt


def test_a_worker_that_dies_while_a_person_is_asked_costs_no_try(account: Account) -> None:
    attempt = died(account, asked="captcha")
    logins.logins_resend()
    account.refresh_from_db()
    attempt.refresh_from_db()
    assert (account.password_tries, account.login_block) == (0, LoginBlock.NEEDS_YOU)
    # What is left of its Chrome is still to be ended.
    assert (attempt.outcome, attempt.asked, attempt.process_group) == (Outcome.LOST, "", 7)


def test_a_worker_that_dies_before_anything_was_asked_costs_the_try(account: Account) -> None:
    died(account, asked="")
    logins.logins_resend()
    account.refresh_from_db()
    assert (account.password_tries, account.login_block) == (1, LoginBlock.NONE)


def test_a_login_that_was_taken_for_lost_is_judged_once(account: Account) -> None:
    attempt = died(account, asked="captcha")
    logins.logins_resend()
    Account.objects.update(password_tries=1)
    assert not verdicts.refused(attempt, errors.PersonLeft(BROKE), password="secret-1")
    assert Account.objects.get().password_tries == 1


def test_a_login_whose_worker_is_out_of_reach_ends_unless_it_lives(account: Account) -> None:
    attempt = died(account, asked="captcha")
    running._renew(attempt.pk)
    live.live_gone(attempt_id=attempt.pk)
    attempt.refresh_from_db()
    assert attempt.lease_until is not None
    assert attempt.lease_until < timezone.now() + timedelta(seconds=running.LEASE.total_seconds() / 2)
    assert live.GONE_LEASE.total_seconds() > 2 * running.RENEW_LIVE_SECONDS


@pytest.mark.usefixtures("linked")
def test_a_password_that_was_refused_is_not_typed_again_in_a_live_login(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
    passwords = ends(monkeypatch, errors.PersonLeft(AWAY), asked="password")
    run(account)
    account.refresh_from_db()
    assert passwords == [None]
    assert account.login_block == LoginBlock.WRONG_PASSWORD
    assert LoginAttempt.objects.count() == 1


@pytest.mark.usefixtures("linked")
def test_a_token_mends_what_blocked_the_account(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    Account.objects.update(login_block=LoginBlock.NEEDS_YOU)
    ends(monkeypatch, None, asked="captcha")
    run(account)
    account.refresh_from_db()
    assert (account.login_block, account.password_tries) == (LoginBlock.NONE, 0)


def test_a_web_process_that_is_away_ends_the_login_before_chrome_starts(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = ends(monkeypatch, None)
    attempt = run(account)
    assert (attempt.outcome, attempt.message, passwords) == (Outcome.FAILED, BROKE, [])


@pytest.mark.usefixtures("linked")
def test_each_kind_of_worker_runs_its_own_kind(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = ends(monkeypatch, None)
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    running.login_run(attempt_id=attempt.pk)
    assert passwords == []
    running.login_run(attempt_id=attempt.pk, live=True)
    background = logins.login_ask(account=account, trigger=Trigger.REFRESH)
    running.login_run(attempt_id=background.pk, live=True)
    assert len(passwords) == 1


def test_a_live_login_whose_page_has_gone_does_not_wait_for_a_browser_for_ever(
    account: Account, sent: list[str]
) -> None:
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    logins.logins_resend()
    attempt.refresh_from_db()
    assert attempt.ended_at is None
    LoginAttempt.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    logins.logins_resend()
    attempt.refresh_from_db()
    assert (attempt.message, attempt.live_secret) == (NEVER_BEGUN, "")
    assert Account.objects.get().early_failures == 0


def test_a_page_cannot_keep_a_waiting_login_for_longer_than_it_may_take(account: Account) -> None:
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    LoginAttempt.objects.update(created_at=timezone.now() - timedelta(minutes=16), lease_until=timezone.now())
    live.live_keep(attempt_id=attempt.pk)
    assert LoginAttempt.objects.get().lease_until <= timezone.now()  # type: ignore[operator]


# Whose turn it is


def waiting(number: int) -> list[LoginAttempt]:
    """Live logins of that many members, in the order in which they were asked for."""
    accounts = [
        member_add(name=f"m{n}", xjtlu_username=f"San.Zhang{n}", xjtlu_password="secret-1") for n in range(number)
    ]
    return [live.live_ask(account=account, web_url=NOWHERE) for account in accounts]


@pytest.mark.usefixtures("linked")
def test_who_waits_longest_has_the_first_turn_in_whichever_order_the_tasks_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends(monkeypatch, None)
    first, second, third = waiting(3)
    turns = []
    for attempt in (third, second, third):
        tasks.log_in_live(str(attempt.pk))
        turns.append(list(LoginAttempt.objects.exclude(outcome="").order_by("ended_at"))[-1])
    assert turns == [first, second, third]


@pytest.mark.usefixtures("linked")
def test_a_turn_that_another_worker_has_taken_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = ends(monkeypatch, None)
    first, second = waiting(2)
    LoginAttempt.objects.filter(pk=first.pk).update(started_at=timezone.now())
    # As it was read a moment before.
    monkeypatch.setattr(tasks, "live_line", lambda: LoginAttempt.objects.order_by("created_at"))
    tasks.log_in_live(str(first.pk))
    second.refresh_from_db()
    assert (len(passwords), second.outcome) == (1, Outcome.CAPTURED)


def test_who_has_left_does_not_hold_up_the_line() -> None:
    first, second, third = waiting(3)
    assert [live.live_ahead(attempt) for attempt in (first, second, third)] == [0, 1, 2]
    LoginAttempt.objects.filter(pk=first.pk).update(lease_until=timezone.now())
    assert [live.live_ahead(attempt) for attempt in (second, third)] == [0, 1]


def test_the_page_tells_how_many_wait_before(account: Account) -> None:
    waiting(2)
    attempt = live.live_ask(account=account, web_url=NOWHERE)
    shown = progress(account.pk, "en")
    assert shown is not None
    assert shown["login"]["line"].startswith("All live browsers are in use, and 2 people wait before you.")
    LoginAttempt.objects.filter(pk=attempt.pk).update(started_at=timezone.now())
    shown = progress(account.pk, "en")
    assert shown is not None
    assert shown["login"]["line"] == ""


# Mail


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "mail_send", lambda **mail: written.append(mail))
    return written


def needs_you(account: Account, trigger: Trigger) -> None:
    account.refresh_from_db()
    running.login_run(attempt_id=logins.login_ask(account=account, trigger=trigger).pk)


def test_the_member_is_told_once_for_a_block(
    account: Account, monkeypatch: pytest.MonkeyPatch, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    ends(monkeypatch, errors.PersonNeeded("captcha", "The sign-on asks for a captcha."))
    with django_capture_on_commit_callbacks(execute=True):
        needs_you(account, Trigger.REFRESH)
    assert sent.count("tokens.tell_needs_you") == 1


def test_nobody_is_told_of_a_wrong_password_so(
    account: Account, monkeypatch: pytest.MonkeyPatch, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    ends(monkeypatch, errors.WrongPassword("The sign-on refused the login."))
    with django_capture_on_commit_callbacks(execute=True):
        needs_you(account, Trigger.REFRESH)
    assert "tokens.tell_needs_you" not in sent


def test_the_mail_says_what_is_asked_and_where_to_answer(account: Account, mails: list[dict[str, Any]]) -> None:
    Account.objects.update(login_block=LoginBlock.NEEDS_YOU, login_block_reason="The sign-on asks for a captcha.")
    tasks.tell_needs_you(str(account.pk))
    assert mails[0]["to"] == "a@example.com"
    assert str(mails[0]["context"]["reason"]) == "The sign-on asks for a captcha."
    assert mails[0]["context"]["link"].endswith("/dashboard/account/")


def test_an_account_that_was_mended_meanwhile_gets_no_mail(account: Account, mails: list[dict[str, Any]]) -> None:
    tasks.tell_needs_you(str(account.pk))
    assert mails == []
