"""One account's calls keep their distance, whichever process makes them; accounts do not wait for each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.e2e import rows
from tests.e2e.stack import INTERVAL_SECONDS, TOLERANCE_SECONDS, Person, Stack, eventually


def test_chats_of_one_account_through_two_web_processes_stay_spaced(stack: Stack, member: Person) -> None:
    with stack.another_web() as (_, url), ThreadPoolExecutor(6) as pool:
        answers = [
            pool.submit(member.ask, f"[[sim text=answer-{n}]]", url=url if n % 2 else "", timeout=60) for n in range(6)
        ]
        assert [answer.result() for answer in answers] == [f"answer-{n}" for n in range(6)]
    member.sessions_are_gone()
    assert member.at_school["too_fast"] == 0
    assert member.at_school["smallest_gap_seconds"] >= INTERVAL_SECONDS - TOLERANCE_SECONDS


def test_a_member_does_not_wait_for_another_members_slot(stack: Stack, member: Person) -> None:
    other = stack.member()
    stack.desk(rows.take_lane, other.name, 100)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(other.ask, "[[sim text=late]]")
        eventually(lambda: stack.desk(rows.waits_for_slot, other.name), "the wait")
        assert member.ask("[[sim text=soon]]") == "soon"
        assert not waiting.done()
        stack.desk(rows.free_lane, other.name)
        assert waiting.result() == "late"


def test_each_members_chats_go_to_their_own_account(stack: Stack, member: Person) -> None:
    people = [member, stack.member(), stack.member()]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda person: person.ask(f"I am {person.name}"), people * 2))
    for person in people:
        assert stack.school.prompts(person.username) == [f"I am {person.name}"] * 2
