"""`openai`, the official client for Python, with its defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

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
from tests.school import MODEL, School

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def sdk(endpoint: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key) as sdk:
        yield sdk


def asking(prompt: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": prompt}]


def test_a_text_comes_with_finish_reason_usage_and_request_id(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=asking("[[sim text=fine]]"))
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("fine", "stop")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert (answer._request_id or "").startswith("req_")


def test_the_models_are_listed(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == [MODEL, SEEING]


def test_a_stream_comes_in_pieces_with_usage_at_the_end(sdk: openai.OpenAI) -> None:
    with sdk.chat.completions.stream(
        model=MODEL, messages=asking(STREAMED), stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta" and event.delta]
        final = stream.get_final_completion()
    assert pieces == ["one ", "two ", "three"]
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("one two three", "stop")
    assert final.usage is not None
    assert final.usage.total_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_answered(sdk: openai.OpenAI, school: School, stream: bool) -> None:
    messages = asking(calling("weather", city="Suzhou"))
    turn = final_message(sdk, messages, stream=stream)
    [call] = turn.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Suzhou"})
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": answering("wet")}
    messages = [*messages, turn.model_dump(exclude_none=True, exclude={"parsed"}), result]
    assert final_message(sdk, messages, stream=stream).content == "wet"
    assert_result_was_sent(school, "weather")


def final_message(sdk: openai.OpenAI, messages: list[ChatCompletionMessageParam], *, stream: bool) -> Any:
    if not stream:
        return sdk.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER]).choices[0].message
    with sdk.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as events:
        return events.get_final_completion().choices[0].message


def test_a_required_call_ends_by_tool_calls(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model=MODEL, messages=asking(calling("weather", city="Suzhou")), tools=[WEATHER], tool_choice="required"
    )
    assert answer.choices[0].finish_reason == "tool_calls"


def test_an_answer_is_parsed_into_a_model(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.parse(model=MODEL, messages=asking(PERSON), response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


def test_a_streamed_answer_is_parsed_into_a_model(sdk: openai.OpenAI) -> None:
    with sdk.chat.completions.stream(model=MODEL, messages=asking(PERSON), response_format=Person) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="Ada", age=36)


def test_an_image_reaches_the_school(sdk: openai.OpenAI, school: School, png: str) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": png}}]}
    ]
    assert sdk.chat.completions.create(model=SEEING, messages=messages).choices[0].message.content
    assert_one_image_was_seen(school)


def test_reasoning_is_read(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(model=MODEL, messages=asking(THOUGHT), reasoning_effort="high")
    assert answer.choices[0].message.to_dict()["reasoning_content"] == "let me think"


def test_streamed_reasoning_is_read(sdk: openai.OpenAI) -> None:
    stream = sdk.chat.completions.create(model=MODEL, messages=asking(THOUGHT), reasoning_effort="high", stream=True)
    deltas = [chunk.choices[0].delta.to_dict() for chunk in stream]
    assert "".join(str(delta.get("reasoning_content", "")) for delta in deltas) == "let me think"


def test_a_bad_key_is_an_authentication_error(sdk: openai.OpenAI, school: School) -> None:
    with pytest.raises(openai.AuthenticationError, match="key") as caught:
        sdk.with_options(api_key=BAD_KEY).chat.completions.create(model=MODEL, messages=asking("hello"))
    assert caught.value.code == "invalid_api_key"
    assert school.calls() == []


def test_what_the_filter_refuses_is_not_sent_again(sdk: openai.OpenAI, school: School) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model=MODEL, messages=asking(FILTERED))
    assert caught.value.code == "content_filter"
    assert len(school.prompts()) == 1


def test_a_failure_in_mid_stream_is_raised(sdk: openai.OpenAI, school: School) -> None:
    stream = sdk.chat.completions.create(model=MODEL, messages=asking(FAILING), stream=True)
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "school_error"
    assert len(school.prompts()) == 1


def test_a_client_that_leaves_ends_the_schools_answer(sdk: openai.OpenAI, school: School) -> None:
    with sdk.chat.completions.create(model=MODEL, messages=asking(HELD), stream=True) as stream:
        next(chunk for chunk in stream if chunk.choices[0].delta.content)
    assert_client_left(school)
