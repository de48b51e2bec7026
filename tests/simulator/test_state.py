"""The rules that need a clock, with the time given."""

from __future__ import annotations

import pytest

from simulator import tokens
from simulator.state import Call, Session, SessionFields, User

KEY = b"k" * 32
CLAIMS = {"sub": "somebody", "nbf": 100, "exp": 200}


@pytest.fixture
def user() -> User:
    return User("San.Zhang24", "demo-password")


@pytest.fixture
def session() -> Session:
    fields = SessionFields(name="a", model="b", temperature=0, max_token=0, presence_penalty=0, frequency_penalty=0)
    return Session(1, fields, created=0, updated=0)


def test_a_call_may_follow_after_the_least_gap(user: User) -> None:
    assert [user.may_call(at, 1.0) for at in (10.0, 10.5, 11.0)] == [True, False, True]
    assert user.too_fast == 1


def test_a_refused_call_does_not_move_the_clock(user: User) -> None:
    assert [user.may_call(at, 1.0) for at in (10.0, 10.9, 11.1)] == [True, False, True]


def test_the_smallest_gap_is_between_any_two_calls_in_a_row(user: User) -> None:
    for at in (10.0, 12.0, 12.5, 15.0):
        user.note_call(Call(at, "config"))
    assert user.smallest_gap_seconds == 0.5


def test_a_session_is_busy_until_its_streams_grace_is_over(session: Session) -> None:
    assert not session.is_busy(10.0, 1.5)
    session.stream_ended_at = 10.0
    assert session.is_busy(11.4, 1.5)
    assert not session.is_busy(11.5, 1.5)


def test_a_session_with_an_open_stream_is_busy(session: Session) -> None:
    session.open_streams = 1
    assert session.is_busy(10.0, 0.0)


@pytest.mark.parametrize(("now", "good"), [(99, False), (100, True), (199, True), (200, False)])
def test_a_token_is_good_from_its_beginning_to_its_end(now: float, good: bool) -> None:
    assert (tokens.verify(tokens.sign(CLAIMS, KEY), KEY, now) == CLAIMS) is good


@pytest.mark.parametrize("token", ["", "a.b.c", "é.b.c", tokens.sign(CLAIMS, b"another key")])
def test_a_token_of_somebody_else_is_not_good(token: str) -> None:
    assert tokens.verify(token, KEY, 150) is None
