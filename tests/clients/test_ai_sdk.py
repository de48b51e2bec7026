"""The Vercel AI SDK, by `@ai-sdk/openai-compatible`."""

from __future__ import annotations

from typing import Any

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
    return Script(node, "ai_sdk.mjs", endpoint)


def texts(parts: list[dict[str, Any]], kind: str) -> list[str]:
    return [part["text"] for part in parts if part["type"] == kind]


def test_a_text_comes_with_finish_reason_and_usage(sdk: Script) -> None:
    answer = sdk("text", "[[sim text=fine]]")
    assert (answer["text"], answer["finishReason"]) == ("fine", "stop")
    assert answer["usage"]["totalTokens"] > 0


def test_a_stream_comes_in_pieces_with_usage_at_the_end(sdk: Script) -> None:
    answer = sdk("stream", STREAMED)
    assert texts(answer["parts"], "text") == ["one ", "two ", "three"]
    assert answer["parts"][-1] == {"type": "finish", "reason": "stop"}
    assert answer["usage"]["totalTokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(sdk: Script, school: School, stream: bool) -> None:
    answer = sdk("tools", calling("weather", city="Suzhou"), result=answering("wet"), stream=stream)
    assert answer == {"answer": "wet", "cities": ["Suzhou"], "steps": ["tool-calls", "stop"]}
    assert_result_was_sent(school, "weather")


@pytest.mark.parametrize("feature", ["structured", "structuredStream", "generateObject"])
def test_an_answer_is_parsed_into_a_schema(sdk: Script, feature: str) -> None:
    assert sdk(feature, PERSON) == {"name": "Ada", "age": 36}


def test_an_image_reaches_the_school(sdk: Script, school: School, png: str) -> None:
    assert sdk("image", url=png, model=SEEING) == {"text": "seen"}
    assert_one_image_was_seen(school)


def test_reasoning_is_read(sdk: Script) -> None:
    answer = sdk("text", THOUGHT, reasoningEffort="high")
    assert (answer["text"], answer["reasoningText"]) == ("42", "let me think")


def test_streamed_reasoning_is_read(sdk: Script) -> None:
    parts = sdk("stream", THOUGHT, reasoningEffort="high")["parts"]
    assert "".join(texts(parts, "reasoning")) == "let me think"
    assert "".join(texts(parts, "text")) == "42"


def test_a_bad_key_is_an_error_that_is_not_retried(sdk: Script) -> None:
    error = sdk("text", "hello", key=BAD_KEY)["error"]
    assert (error["name"], error["status"], error["isRetryable"]) == ("AI_APICallError", 401, False)
    assert "key" in error["message"]


def test_what_the_filter_refuses_is_not_sent_again(sdk: Script, school: School) -> None:
    error = sdk("text", FILTERED)["error"]
    assert (error["name"], error["status"]) == ("AI_APICallError", 400)
    assert len(school.prompts()) == 1


def test_a_failure_in_mid_stream_is_no_success(sdk: Script, school: School) -> None:
    parts = sdk("failingStream", FAILING)
    assert [part["type"] for part in parts][-2:] == ["error", "finish"]
    assert parts[-2]["error"]["code"] == "school_error"
    assert parts[-1]["reason"] == "error"
    assert len(school.prompts()) == 1


def test_a_client_that_leaves_ends_the_schools_answer(sdk: Script, school: School) -> None:
    assert sdk("leave", HELD) == {"aborted": True}
    assert_client_left(school)
