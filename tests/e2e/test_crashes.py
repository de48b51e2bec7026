"""Processes that die with kill -9, and a broker that loses everything: the rows are the truth."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import psutil
import pytest

from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually
from tests.school import MODEL


@pytest.fixture
def crashed(stack: Stack, member: Person, school: BusySchool) -> Person:
    """A member in the middle of whose stream the web process was killed."""
    with stack.another_web() as (web, url), member.client(url, max_retries=0) as client:
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": '[[sim text="a b" hold]]'}], stream=True
        )
        next(stream)
        web.kill()
        with pytest.raises((openai.APIConnectionError, httpx.TransportError)):
            list(stream)
    stack.desk(rows.end_leases, member.name)
    return member


def test_the_session_of_a_crashed_web_process_is_deleted_at_the_school(crashed: Person) -> None:
    crashed.sessions_are_gone()


def test_the_record_of_a_crashed_web_process_says_lost(crashed: Person, stack: Stack) -> None:
    stack.desk(rows.nudge, "gateway.close_lost_usage")
    eventually(lambda: crashed.usage[0]["status"] == "lost", "the record's end")


def test_the_next_chat_after_a_crash_is_answered(crashed: Person) -> None:
    assert crashed.ask("[[sim text=fine]]") == "fine"


# The worker of the logins


@pytest.fixture
def interrupted(stack: Stack, school: BusySchool) -> Iterator[Person]:
    """A member in the middle of whose login the worker was killed, while Chrome waited on the sign-on's page."""
    school.settings(element_delay_ms=60_000)
    person = stack.person()
    stack.add(person, password=person.password)
    eventually(lambda: "opening the portal" in steps(person), "the portal in Chrome")
    stack.restart("logins")
    yield person
    stack.desk(rows.pause, person.name)


def steps(person: Person) -> list[str]:
    return [step["step"] for login in person.logins for step in login["steps"]]


def chrome_of(person: Person) -> list[int]:
    """The processes of the first login's Chrome."""
    scratch = person.logins[0]["scratch"]
    return [process.pid for process in psutil.process_iter() if scratch in belongs_to(process)]


def belongs_to(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), process.environ().get("TMPDIR", "")])
    except psutil.Error:
        return ""


def test_the_chrome_of_a_killed_worker_is_ended(interrupted: Person, stack: Stack) -> None:
    assert chrome_of(interrupted)
    stack.desk(rows.end_leases, interrupted.name)
    eventually(lambda: not chrome_of(interrupted), "the end of Chrome")


def test_an_account_whose_worker_was_killed_logs_in_again(
    interrupted: Person, stack: Stack, school: BusySchool
) -> None:
    school.settings(element_delay_ms=20)
    stack.desk(rows.end_leases, interrupted.name)
    eventually(lambda: interrupted.logins[0]["outcome"] == "lost", "the lost attempt")
    stack.desk(rows.make_login_due, interrupted.name)
    assert interrupted.ask("[[sim text=fine]]") == "fine"
    assert interrupted.at_school["password_tries"] == 1


# The worker of the calls, and the broker


def test_a_cleanup_whose_worker_was_killed_is_done_again(member: Person, stack: Stack, school: BusySchool) -> None:
    school.fault("hang", call="delSession", user=member.username)
    member.ask("hello")
    school.until(user=member.username, call="delSession", status="hang")
    stack.restart("calls")
    stack.desk(rows.free_lane, member.name)
    stack.desk(rows.make_deletions_due, member.name)
    member.sessions_are_gone()


def test_a_login_that_the_broker_lost_is_sent_again(stack: Stack) -> None:
    stack.programs["logins"].kill()
    person = stack.person()
    stack.add(person, password=person.password)
    stack.desk(rows.empty_broker)
    stack.start("logins")
    stack.desk(rows.make_login_due, person.name)
    eventually(person.is_logged_in, "the login")
    assert len(person.logins) == 1


def test_a_cleanup_that_the_broker_lost_is_sent_again(member: Person, stack: Stack) -> None:
    stack.programs["calls"].kill()
    member.ask("hello")
    stack.desk(rows.make_deletions_due, member.name)
    stack.desk(rows.nudge, "gateway.send_due_cleanups")
    stack.desk(rows.empty_broker)
    stack.start("calls")
    member.sessions_are_gone()


def test_a_stopping_worker_ends_the_login_that_outlasts_its_drain(stack: Stack, school: BusySchool) -> None:
    school.settings(element_delay_ms=60_000)
    person = stack.person()
    stack.add(person, password=person.password)
    eventually(lambda: "opening the portal" in steps(person), "the portal in Chrome")
    assert stack.programs["logins"].stop() == 0
    assert chrome_of(person) == []
    assert person.logins[0]["outcome"] == "failed"
    stack.desk(rows.pause, person.name)
    stack.start("logins")
