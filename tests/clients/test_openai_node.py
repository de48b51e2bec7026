"""`openai`, the official client for Node, with its defaults."""

from __future__ import annotations

import pytest

from tests.clients.endpoint import (
    BAD_KEY,
    FAILING,
    FILTERED,
    HELD,
    PERSON,
    SEEING,
    STREAMED,
    THOUGHT,
    Endpoint,
    answering,
    assert_client_left,
    assert_one_image_was_seen,
    assert_result_was_sent,
    calling,
)
from tests.clients.nodejs import Node, Script
from tests.school import School


@pytest.fixture
def sdk(node: Node, endpoint: Endpoint) -> Script:
    return Script(node, "openai.mjs", endpoint)


def test_a_text_comes_with_finish_reason_and_usage(sdk: Script) -> None:
    answer = sdk("text", "[[sim text=fine]]")
    assert (answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]) == ("fine", "stop")
    assert answer["usage"]["total_tokens"] > 0


def test_a_stream_comes_in_pieces_with_usage_at_the_end(sdk: Script) -> None:
    answer = sdk("stream", STREAMED)
    assert answer["pieces"] == ["one ", "two ", "three"]
    [choice] = answer["final"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "stop")
    assert answer["final"]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(sdk: Script, school: School, stream: bool) -> None:
    answer = sdk("tools", calling("weather", city="Suzhou"), result=answering("wet"), stream=stream)
    assert answer == {"answer": "wet", "cities": ["Suzhou"]}
    assert_result_was_sent(school, "weather")


def test_an_answer_is_parsed_into_a_schema(sdk: Script) -> None:
    assert sdk("structured", PERSON) == {"name": "Ada", "age": 36}


def test_an_image_reaches_the_school(sdk: Script, school: School, png: str) -> None:
    assert sdk("image", url=png, model=SEEING)["choices"][0]["message"]["content"] == "seen"
    assert_one_image_was_seen(school)


def test_reasoning_is_read(sdk: Script) -> None:
    answer = sdk("text", THOUGHT, reasoning_effort="high")
    assert answer["choices"][0]["message"]["reasoning_content"] == "let me think"


def test_streamed_reasoning_is_read(sdk: Script) -> None:
    assert "".join(sdk("stream", THOUGHT, reasoning_effort="high")["reasoning"]) == "let me think"


def test_a_bad_key_is_an_authentication_error(sdk: Script) -> None:
    error = sdk("badKey", "hello", key=BAD_KEY)["error"]
    assert (error["class"], error["status"], error["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert "key" in error["message"]


def test_what_the_filter_refuses_is_not_sent_again(sdk: Script, school: School) -> None:
    error = sdk("text", FILTERED)["error"]
    assert (error["class"], error["code"]) == ("BadRequestError", "content_filter")
    assert len(school.prompts()) == 1


def test_a_failure_in_mid_stream_is_raised(sdk: Script, school: School) -> None:
    error = sdk("stream", FAILING)["error"]
    assert (error["class"], error["code"]) == ("APIError", "school_error")
    assert len(school.prompts()) == 1


def test_a_client_that_leaves_ends_the_schools_answer(sdk: Script, school: School) -> None:
    assert sdk("leave", HELD) == {"aborted": True}
    assert_client_left(school)
