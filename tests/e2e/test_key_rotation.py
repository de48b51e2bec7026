"""The encryption keys are changed while the service runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.e2e import rows
from tests.e2e.stack import Person, Stack, eventually


@contextmanager
def chatting(*people: Person) -> Iterator[list[str]]:
    """Chats of all of them one after the other, for as long as the block runs: the answers."""
    stopped = threading.Event()
    answers: list[str] = []

    def chat(person: Person) -> None:
        while not stopped.is_set():
            answers.append(person.ask("[[sim text=fine]]"))

    with ThreadPoolExecutor(len(people)) as pool:
        running = [pool.submit(chat, person) for person in people]
        try:
            yield answers
        finally:
            stopped.set()
        for each in running:
            each.result()


def test_chats_go_on_while_the_keys_are_rotated(stack: Stack, member: Person) -> None:
    before = stack.desk(rows.key_ids)
    with chatting(member, stack.member()) as answers:
        assert stack.manage("rotate_encryption_keys").returncode == 0
        enough = len(answers) + 2
        eventually(lambda: len(answers) >= enough, "chats after the rotation")
    assert set(answers) == {"fine"}
    assert stack.desk(rows.key_ids)[1:] == before
    assert stack.desk(rows.sealed_with) == {stack.desk(rows.key_ids)[0]}


def test_chats_and_logins_go_on_without_the_old_keys(stack: Stack, member: Person) -> None:
    person = stack.person()
    stack.add(person, password=person.password)
    eventually(person.is_logged_in, "the login")
    assert stack.manage("rotate_encryption_keys", "--forget-old-keys").returncode == 0
    assert len(stack.desk(rows.key_ids)) == 1
    assert member.ask("[[sim text=fine]]") == "fine"
    stack.school.revoke(person.username, sign_on=True)
    assert person.ask("[[sim text=fine]]") == "fine"
