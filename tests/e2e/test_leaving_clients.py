"""Clients that go away: nothing goes on for them."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually
from tests.e2e.test_drain import held_stream
from tests.school import MODEL


@pytest.fixture
def left(member: Person) -> Person:
    """A member whose client has gone in the middle of a stream."""
    with member.client() as client:
        held_stream(client).close()
    return member


def test_the_stream_from_the_school_is_closed(left: Person, school: BusySchool) -> None:
    school.until(user=left.username, ended="client_left")


def test_the_record_says_cancelled(left: Person) -> None:
    eventually(lambda: left.usage[0]["status"] == "cancelled", "the record's end")


def test_the_session_is_deleted(left: Person) -> None:
    left.sessions_are_gone()


async def test_a_client_that_leaves_while_it_waits_for_its_slot_wastes_none(stack: Stack, member: Person) -> None:
    stack.desk(rows.take_lane, member.name, 100)
    async with member.async_client() as client:
        asking = asyncio.create_task(
            client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "never mind"}])
        )
        await asyncio.to_thread(eventually, lambda: stack.desk(rows.waits_for_slot, member.name), "the wait")
        asking.cancel()
        await asyncio.wait({asking})
    await asyncio.to_thread(eventually, lambda: member.usage[0]["status"] == "cancelled", "the record's end")
    stack.desk(rows.free_lane, member.name)
    assert await asyncio.to_thread(member.ask, "[[sim text=fine]]") == "fine"
    assert member.all_calls()[:2] == ["saveSession", "completions"]
    assert len(member.at_school["completions"]) == 1
