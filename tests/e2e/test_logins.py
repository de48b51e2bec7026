"""Logins by the real worker with real Chrome: what starts one, what ends one, and what a person does."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually


@pytest.fixture
def newcomer(stack: Stack) -> Person:
    """A member whose account the workers have logged in."""
    person = stack.person()
    stack.add(person, password=person.password)
    eventually(person.is_logged_in, "the login")
    return person


def refused(person: Person) -> str:
    """The code with which a chat is refused for the state of the account."""
    with pytest.raises(openai.InternalServerError) as caught:
        person.ask("hello")
    assert caught.value.status_code == 503
    return str(caught.value.code)


# A token that died


def test_a_revoked_token_is_replaced_by_one_login_without_a_password(newcomer: Person, school: BusySchool) -> None:
    school.revoke(newcomer.username)
    assert newcomer.ask("[[sim text=fine]]") == "fine"
    assert [login["outcome"] for login in newcomer.logins] == ["captured", "captured"]
    assert newcomer.at_school["password_tries"] == 1


def test_many_chats_that_find_the_token_dead_share_one_login(newcomer: Person, school: BusySchool) -> None:
    school.revoke(newcomer.username)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(newcomer.ask, ["[[sim text=fine]]"] * 4)) == ["fine"] * 4
    assert len(newcomer.logins) == 2


def test_a_token_is_refreshed_in_time_without_request_and_password(newcomer: Person, stack: Stack) -> None:
    before = stack.desk(rows.token_version, newcomer.name)
    stack.desk(rows.make_refresh_due, newcomer.name)
    eventually(lambda: stack.desk(rows.token_version, newcomer.name) != before, "the refresh")
    assert newcomer.logins[-1]["trigger"] == "refresh"
    assert newcomer.usage == []
    assert newcomer.at_school["password_tries"] == 1


def test_a_chat_in_the_middle_of_a_refresh_is_answered(newcomer: Person, stack: Stack, school: BusySchool) -> None:
    with school.slow_sign_on():
        stack.desk(rows.make_refresh_due, newcomer.name)
        stack.desk(rows.nudge, "tokens.send_due_refreshes")
        school.until(held=1)
        assert newcomer.ask("[[sim text=fine]]") == "fine"
        assert newcomer.logins[-1]["ended_at"] is None
    eventually(newcomer.last_login_ended, "the refresh's end")
    assert newcomer.logins[-1]["outcome"] == "captured"


def test_an_expired_token_is_not_even_tried(newcomer: Person, stack: Stack) -> None:
    stack.desk(rows.let_token_expire, newcomer.name)
    assert newcomer.ask("[[sim text=fine]]") == "fine"
    assert [login["trigger"] for login in newcomer.logins] == ["added", "request"]
    assert "token_dead" not in newcomer.statuses()


# A wrong password


def test_a_wrong_password_is_tried_once_whatever_is_asked_meanwhile(stack: Stack) -> None:
    person = stack.person()
    stack.add(person, password="not-" + person.password)
    with ThreadPoolExecutor() as pool:
        assert set(pool.map(refused, [person] * 4)) == {"wrong_password"}
    assert refused(person) == "wrong_password"
    assert person.at_school["password_tries"] == 1


def test_a_new_password_logs_the_account_in(stack: Stack) -> None:
    person = stack.person()
    stack.add(person, password="not-" + person.password)
    eventually(person.last_login_ended, "the refusal")
    stack.desk(rows.change_password, person.name, person.password)
    assert person.ask("[[sim text=fine]]") == "fine"
    assert person.at_school["password_tries"] == 2


# A check for a person


@pytest.fixture
def careful(stack: Stack) -> Person:
    """A member whose login met a second factor in the background."""
    person = stack.person(check="second_factor")
    stack.add(person, password=person.password)
    eventually(person.last_login_ended, "the login's end")
    return person


def test_a_second_factor_waits_for_a_person_and_sends_one_message(careful: Person) -> None:
    assert [refused(careful) for _ in range(3)] == ["login_needs_you"] * 3
    assert careful.account["login_block"] == "needs_you"
    assert careful.at_school["sms_sent"] == 1


def test_a_person_gives_the_code_and_the_chats_go_on(careful: Person, stack: Stack, tmp_path: Path) -> None:
    code_file = tmp_path / "code"
    os.mkfifo(code_file)
    login = stack.begin("log_in", careful.name, "--code-file", str(code_file))
    eventually(lambda: careful.at_school["sms_sent"] == 2, "the second message")
    code_file.write_text(careful.at_school["second_factor_code"])
    eventually(lambda: login.popen.poll() is not None, "the end of the login")
    assert login.popen.returncode == 0, login.said()
    assert careful.ask("[[sim text=fine]]") == "fine"


def test_a_login_by_a_script_that_meets_a_second_factor_says_so(careful: Person, stack: Stack) -> None:
    ended = stack.manage("log_in", careful.name)
    assert ended.returncode != 0
    assert "second factor" in ended.stderr


def test_a_login_by_a_script_that_meets_a_captcha_says_so(stack: Stack) -> None:
    person = stack.person(check="slider")
    stack.add(person, password=person.password)
    eventually(person.last_login_ended, "the login in the background")
    ended = stack.manage("log_in", person.name)
    assert ended.returncode != 0
    assert "captcha" in ended.stderr
