"""What starts a login, who may run it, and what its end means for the account. Chrome itself is in test_browser.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, LoginBlock
from accounts.services import account_pause, member_add, password_change, sign_on_cookies, sign_on_cookies_keep
from gateway.errors import AccountBlocked, AccountUnavailable
from tokens import errors, logins, running
from tokens.capture import Capture
from tokens.models import LoginAttempt, Outcome, Trigger, UpstreamToken
from tokens.pictures import screenshot_path
from tokens.services import usable

pytestmark = pytest.mark.django_db

Story = Callable[..., Capture]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The attempts that were handed to the broker."""
    ids: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, args, **_: ids.append(args[0]))
    return ids


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="secret-1")


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Put a story in Chrome's place."""
    return lambda told: monkeypatch.setattr(running, "log_in", told)


CAPTURE = Capture(
    jm_token="opaque",
    sdp_app_session="",
    cookies={},
    api_url="https://jmapi.xjtlu.edu.cn/api",
    user_agent="x",
    origin="https://xipuai.xjtlu.edu.cn",
    sign_on_cookies=[{"name": "TGC", "value": "kept"}],
)


def ends(error: errors.LoginError | None, *, password: bool = True) -> Story:
    """A login that submits the password (or not) and ends so."""

    def told(*, watcher: running.Watcher, **_: Any) -> Capture:
        watcher.step("opening the portal")
        if password:
            watcher.before_password()
        if error is not None:
            raise error
        return CAPTURE

    return told


def run(account: Account, trigger: Trigger = Trigger.REQUEST) -> LoginAttempt:
    account.refresh_from_db()
    return running.login_run(attempt_id=logins.login_ask(account=account, trigger=trigger).pk)


# Asking.


def test_an_account_has_one_open_login_at_a_time(account: Account) -> None:
    first = logins.login_ask(account=account, trigger=Trigger.ADDED)
    assert logins.login_ask(account=account, trigger=Trigger.REQUEST) == first


def test_an_attempt_is_handed_to_the_workers_once_it_is_committed(
    account: Account, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        attempt = logins.login_ask(account=account, trigger=Trigger.ADDED)
        assert sent == []
    assert sent == [str(attempt.pk)]


def test_a_paused_account_is_not_logged_in(account: Account) -> None:
    account_pause(account=account)
    account.refresh_from_db()
    with pytest.raises(AccountBlocked):
        logins.login_ask(account=account, trigger=Trigger.PERSON)


def test_an_attempt_is_claimed_by_one_worker(account: Account, story: Callable[[Story], None]) -> None:
    attempt = logins.login_ask(account=account, trigger=Trigger.ADDED)
    nested: list[LoginAttempt] = []

    def told(*, watcher: running.Watcher, **_: Any) -> Capture:
        nested.append(running.login_run(attempt_id=attempt.pk))
        return CAPTURE

    story(told)
    running.login_run(attempt_id=attempt.pk)
    assert nested[0].ended_at is None
    assert LoginAttempt.objects.get().outcome == Outcome.CAPTURED


def test_what_the_broker_lost_is_sent_again(account: Account, sent: list[str]) -> None:
    attempt = logins.login_ask(account=account, trigger=Trigger.ADDED)
    logins.logins_resend()
    assert sent == []
    LoginAttempt.objects.update(sent_at=timezone.now() - timedelta(minutes=1))
    logins.logins_resend()
    assert sent == [str(attempt.pk)]


# Ends.


def test_a_captured_token_is_stored_with_the_sign_ons_cookies(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(None))
    attempt = run(account)
    account.refresh_from_db()
    assert (attempt.outcome, account.password_tries) == (Outcome.CAPTURED, 0)
    assert usable(account.pk) is not None
    assert sign_on_cookies(account) == [{"name": "TGC", "value": "kept"}]
    assert [step["step"] for step in attempt.steps] == ["opening the portal"]


@pytest.mark.parametrize("error", [errors.WrongPassword("Wrong."), errors.AccountLocked("Locked.")])
def test_a_wrong_password_stops_at_once_until_a_person_acts(
    account: Account, story: Callable[[Story], None], error: errors.LoginError
) -> None:
    story(ends(error))
    run(account)
    account.refresh_from_db()
    assert account.login_block == LoginBlock.WRONG_PASSWORD
    with pytest.raises(AccountUnavailable) as refused:
        logins.login_ask(account=account, trigger=Trigger.REQUEST)
    assert refused.value.code == "wrong_password"


def test_a_new_password_ends_the_block(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(errors.WrongPassword("Wrong.")))
    run(account)
    password_change(account=account, xjtlu_password="secret-2")
    account.refresh_from_db()
    assert logins.login_ask(account=account, trigger=Trigger.REQUEST)


def test_a_check_for_a_person_ends_in_needs_you(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(errors.PersonNeeded("captcha", "The school asks for a captcha.")))
    run(account)
    account.refresh_from_db()
    assert (account.login_block, account.login_block_reason) == ("needs_you", "The school asks for a captcha.")


def test_two_ends_after_the_password_wait_for_a_person(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(errors.LoginFailed("The page is not known.")))
    run(account)
    account.refresh_from_db()
    assert account.login_block == ""
    Account.objects.update(next_login_at=timezone.now())
    run(account)
    account.refresh_from_db()
    assert account.login_block == LoginBlock.NEEDS_YOU


def test_ends_before_the_password_back_off_up_to_half_an_hour(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(errors.ChromeFailed("Chrome did not start."), password=False))
    waits = []
    for _ in range(7):
        Account.objects.update(next_login_at=timezone.now())
        run(account)
        account.refresh_from_db()
        waits.append(round((account.next_login_at - timezone.now()).total_seconds() / 60))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert account.login_block == ""


def test_a_request_during_the_back_off_is_told_when_to_come_back(
    account: Account, story: Callable[[Story], None]
) -> None:
    story(ends(errors.ChromeFailed("Chrome did not start."), password=False))
    run(account)
    account.refresh_from_db()
    with pytest.raises(AccountUnavailable, match=r"Chrome did not start") as refused:
        logins.login_ask(account=account, trigger=Trigger.REQUEST)
    assert refused.value.retry_after in range(1, 61)


def test_a_person_overrides_the_back_off(account: Account, story: Callable[[Story], None]) -> None:
    story(ends(errors.ChromeFailed("Chrome did not start."), password=False))
    run(account)
    assert run(account, Trigger.PERSON).ended_at is not None


def test_a_try_counts_before_the_click(account: Account, story: Callable[[Story], None]) -> None:
    seen: list[int] = []

    def told(*, watcher: running.Watcher, **_: Any) -> Capture:
        watcher.before_password()
        seen.append(Account.objects.get().password_tries)
        return CAPTURE

    story(told)
    run(account)
    assert seen == [1]


def test_cookies_that_led_astray_are_dropped(account: Account, story: Callable[[Story], None]) -> None:
    sign_on_cookies_keep(account=account, cookies=[{"name": "TGC", "value": "old"}])
    story(ends(errors.LoginFailed("The page is not known."), password=False))
    run(account)
    account.refresh_from_db()
    assert account.sign_on_cookies == ""


def test_another_users_token_is_not_taken(account: Account, story: Callable[[Story], None]) -> None:
    from tests.tokens.test_services import jwt

    foreign = Capture(**{**vars(CAPTURE), "jm_token": jwt(username="Si.Li22")})
    story(lambda **_: foreign)
    assert run(account).outcome == Outcome.FAILED
    assert not UpstreamToken.objects.exists()


def test_an_unexpected_error_ends_the_attempt_without_its_words(
    account: Account, story: Callable[[Story], None]
) -> None:
    def told(**_: Any) -> Capture:
        raise RuntimeError("secret-1")

    story(told)
    with pytest.raises(RuntimeError):
        run(account)
    attempt = LoginAttempt.objects.get()
    assert attempt.outcome == Outcome.FAILED
    assert "secret-1" not in attempt.message


def test_an_attempt_whose_process_died_is_lost_and_counts(account: Account) -> None:
    attempt = logins.login_ask(account=account, trigger=Trigger.ADDED)
    LoginAttempt.objects.update(started_at=timezone.now(), lease_until=timezone.now(), password_submitted=True)
    Account.objects.update(password_tries=2)
    logins.logins_resend()
    attempt.refresh_from_db()
    account.refresh_from_db()
    assert (attempt.outcome, account.login_block) == (Outcome.LOST, LoginBlock.NEEDS_YOU)


def test_a_screenshot_is_kept_for_its_owner_alone(account: Account, story: Callable[[Story], None]) -> None:
    error = errors.LoginFailed("The page is not known.")
    error.screenshot = b"\x89PNG"
    story(ends(error))
    attempt = run(account)
    path = screenshot_path(attempt)
    assert path.read_bytes() == b"\x89PNG"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_login_with_the_old_password_does_not_block_the_new_one(
    account: Account, story: Callable[[Story], None]
) -> None:
    def told(**_: Any) -> Capture:
        password_change(account=Account.objects.get(), xjtlu_password="secret-2")
        raise errors.WrongPassword("Wrong.")

    story(told)
    run(account)
    account.refresh_from_db()
    assert account.login_block == LoginBlock.NONE
    assert LoginAttempt.objects.filter(ended_at=None).count() == 1


def test_asking_for_a_login_of_a_paused_account_changes_nothing(account: Account) -> None:
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD, paused_at=timezone.now())
    account.refresh_from_db()
    with pytest.raises(AccountBlocked):
        logins.login_ask(account=account, trigger=Trigger.PERSON)
    assert Account.objects.get().login_block == LoginBlock.WRONG_PASSWORD


def test_whoever_sees_that_a_login_ended_sees_why_no_other_may_start(
    account: Account, story: Callable[[Story], None]
) -> None:
    read_before = Account.objects.select_related("member").get()
    story(ends(errors.WrongPassword("Wrong.")))
    run(account)
    with pytest.raises(AccountUnavailable):
        logins.login_ask(account=read_before, trigger=Trigger.REQUEST)


def test_an_attempt_ends_once(account: Account, story: Callable[[Story], None]) -> None:
    attempt = logins.login_ask(account=account, trigger=Trigger.ADDED)

    def told(**_: Any) -> Capture:
        LoginAttempt.objects.update(ended_at=timezone.now(), outcome=Outcome.LOST)
        return CAPTURE

    story(told)
    assert running.login_run(attempt_id=attempt.pk).outcome == Outcome.LOST
    assert usable(account.pk) is not None


# Refreshes.


@pytest.fixture
def near_its_end(account: Account, story: Callable[[Story], None]) -> Account:
    story(ends(None))
    run(account)
    UpstreamToken.objects.update(refresh_at=timezone.now())
    account.refresh_from_db()
    return account


def test_a_token_near_its_end_is_refreshed(near_its_end: Account) -> None:
    assert logins.accounts_to_refresh() == [near_its_end]


def test_a_token_that_the_school_refused_is_replaced(near_its_end: Account) -> None:
    UpstreamToken.objects.update(refresh_at=None, dead_at=timezone.now())
    assert logins.accounts_to_refresh() == [near_its_end]


@pytest.mark.parametrize(
    "state",
    [
        {"paused_at": timezone.now()},
        {"login_block": LoginBlock.NEEDS_YOU},
        {"next_login_at": timezone.now() + timedelta(days=365)},
        {"password": "", "sign_on_cookies": ""},
    ],
)
def test_no_refresh_starts_where_no_login_may(near_its_end: Account, state: dict[str, Any]) -> None:
    Account.objects.update(**state)
    assert logins.accounts_to_refresh() == []


def test_older_attempts_go_with_their_pictures(account: Account, story: Callable[[Story], None]) -> None:
    past = timezone.now() - timedelta(days=1)
    for _ in range(running.KEPT_ATTEMPTS + 3):
        LoginAttempt.objects.create(account=account, trigger=Trigger.REQUEST, created_at=past, ended_at=past)
    story(ends(None))
    run(account)
    assert LoginAttempt.objects.count() == running.KEPT_ATTEMPTS
