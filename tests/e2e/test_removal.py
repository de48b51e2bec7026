"""A member is removed: first the sessions at the school, then the secrets; usage stays without a name."""

from __future__ import annotations

import openai
import pytest

from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually


def remove(stack: Stack, person: Person) -> None:
    """Remove the member, and wait until nobody knows the name any more."""
    stack.desk(rows.command, "remove_member", person.name)
    is_removed(stack, person)


def is_removed(stack: Stack, person: Person) -> None:
    stack.desk(rows.nudge, "gateway.remove_leaving_members")
    eventually(lambda: all(login["ended_at"] for login in person.logins), "the end of a running login")
    eventually(lambda: not person.session_rows, "the end of the sessions")
    stack.desk(rows.nudge, "gateway.remove_leaving_members")
    eventually(lambda: not stack.desk(rows.exists, person.name), "the removal")


@pytest.fixture(scope="module")
def removed(_stack: Stack) -> Person:
    """A member with usage and a keep-alive session, who is gone."""
    member = _stack.member()
    member.ask("hello")
    # Its cleanup is a call too: the account is idle only after it.
    member.sessions_are_gone()
    _stack.desk(rows.make_idle, member.name)
    _stack.desk(rows.nudge, "gateway.send_due_keep_alives")
    eventually(lambda: any(row["keep_alive"] and row["school_id"] for row in member.session_rows), "the keep-alive")
    member.request_ids = [row["request_id"] for row in member.closed_usage()]
    remove(_stack, member)
    return member


def test_nothing_is_left_at_the_school_not_even_the_keep_alive(removed: Person, school: BusySchool) -> None:
    assert school.sessions(removed.username) == []


def test_account_and_secrets_are_erased(removed: Person, stack: Stack) -> None:
    assert removed.username not in stack.desk(rows.dump)


def test_the_usage_record_stays_without_a_name(removed: Person, stack: Stack) -> None:
    record = stack.desk(rows.record, removed.request_ids[0])
    assert (record["status"], record["member_id"], record["account_id"]) == ("done", None, None)


def test_the_key_is_refused(removed: Person) -> None:
    with pytest.raises(openai.AuthenticationError):
        removed.ask("hello")


def test_a_picture_of_a_failed_login_goes_with_its_member(stack: Stack) -> None:
    person = stack.person()
    stack.add(person, password="not-" + person.password)
    eventually(person.last_login_ended, "the refusal")
    picture = stack.data_dir / "screenshots" / f"{person.logins[0]['id']}.png"
    assert picture.exists()
    remove(stack, person)
    assert not picture.exists()


def test_a_member_who_is_removed_in_the_middle_of_a_login_leaves_nothing(stack: Stack, school: BusySchool) -> None:
    before = len(stack.programs["logins"].said())
    with school.slow_sign_on():
        person = stack.person()
        stack.add(person, password=person.password)
        school.until(held=1)
        stack.desk(rows.command, "remove_member", person.name)
    is_removed(stack, person)
    assert "raised unexpected" not in stack.programs["logins"].said()[before:]
    assert list((stack.root / "tmp").glob("xipu-chrome-*")) == []
