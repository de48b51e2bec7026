"""SIGTERM to a web process that is in the middle of answers."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from tests.e2e.stack import BusySchool, Person, Program, Stack, eventually
from tests.school import MODEL


def held_stream(client: OpenAI) -> Stream[ChatCompletionChunk]:
    """A stream of which the first piece has come, and whose rest the school holds back."""
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": '[[sim text="one two" hold]]'}], stream=True
    )
    while not next(stream).choices[0].delta.content:
        pass
    return stream


def is_sent_away(member: Person, url: str) -> bool:
    """Whether a new request is refused, in words or by a closed port."""
    try:
        member.ask("hello", url=url)
    except openai.InternalServerError as error:
        return error.code == "shutting_down"
    except openai.APIConnectionError:
        return True
    return False


def test_a_running_answer_is_finished_and_new_requests_are_sent_away(
    stack: Stack, member: Person, school: BusySchool
) -> None:
    with stack.another_web(GATEWAY_DRAIN_SECONDS="25") as (web, url), member.client(url) as client:
        stream = held_stream(client)
        web.terminate()
        eventually(lambda: is_sent_away(member, url), "the drain")
        school.release()
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "two"
        assert web.ended() == 0
    assert member.usage[0]["status"] == "done"


@pytest.fixture
def cut(stack: Stack, member: Person) -> tuple[Program, openai.APIError]:
    """A web process that ended before its stream did, and what the client was told."""
    with stack.another_web(GATEWAY_DRAIN_SECONDS="0.5") as (web, url), member.client(url) as client:
        stream = held_stream(client)
        web.terminate()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        web.ended()
    return web, caught.value


def test_an_answer_that_outlasts_the_drain_ends_by_an_error(cut: tuple[Program, openai.APIError]) -> None:
    web, error = cut
    assert error.code == "shutting_down"
    assert web.popen.returncode == 0


def test_an_answer_that_outlasts_the_drain_is_recorded_as_failed(
    cut: tuple[Program, openai.APIError], member: Person
) -> None:
    assert (member.usage[0]["status"], member.usage[0]["error_code"]) == ("failed", "shutting_down")


def test_the_session_of_an_answer_that_was_cut_is_deleted(cut: tuple[Program, openai.APIError], member: Person) -> None:
    member.sessions_are_gone()
