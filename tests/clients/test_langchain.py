"""`langchain-openai`: `ChatOpenAI` with the gateway's address and its defaults."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tests.clients.endpoint import (
    BAD_KEY,
    FAILING,
    FILTERED,
    HELD,
    PERSON,
    SEEING,
    STREAMED,
    Endpoint,
    answering,
    assert_client_left,
    assert_one_image_was_seen,
    assert_result_was_sent,
    calling,
)
from tests.school import MODEL, School

Chat = Callable[..., ChatOpenAI]


class Person(BaseModel):
    name: str
    age: int


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return answering("wet") if city == "Suzhou" else "unknown"


@pytest.fixture
def chat(endpoint: Endpoint) -> Chat:
    def chat(model: str = MODEL, key: str = endpoint.api_key) -> ChatOpenAI:
        return ChatOpenAI(model=model, base_url=endpoint.base_url, api_key=SecretStr(key))

    return chat


def test_a_text_comes_with_finish_reason_and_usage(chat: Chat) -> None:
    answer = chat().invoke("[[sim text=fine]]")
    assert (answer.content, answer.response_metadata["finish_reason"]) == ("fine", "stop")
    assert cast(Any, answer.usage_metadata)["total_tokens"] > 0


def test_a_stream_comes_in_pieces_with_usage_at_the_end(chat: Chat) -> None:
    chunks = list(chat().stream(STREAMED, stream_usage=True))
    assert [chunk.content for chunk in chunks if chunk.content] == ["one ", "two ", "three"]
    whole = sum(chunks[1:], cast(Any, chunks[0]))
    assert whole.response_metadata["finish_reason"] == "stop"
    assert cast(Any, whole.usage_metadata)["total_tokens"] > 0


def invoked(model: Any, messages: list[BaseMessage]) -> AIMessage:
    return cast(AIMessage, model.invoke(messages))


def streamed(model: Any, messages: list[BaseMessage]) -> AIMessage:
    first, *rest = model.stream(messages)
    return cast(AIMessageChunk, sum(rest, first))


@pytest.mark.parametrize("ask", [invoked, streamed])
def test_a_tool_is_called_and_its_result_answered(
    chat: Chat, school: School, ask: Callable[[Any, list[BaseMessage]], AIMessage]
) -> None:
    model = chat().bind_tools([weather])
    messages: list[BaseMessage] = [HumanMessage(calling("weather", city="Suzhou"))]
    turn = ask(model, messages)
    [call] = turn.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Suzhou"})
    result: ToolMessage = weather.invoke(call)
    assert ask(model, [*messages, turn, result]).content == "wet"
    assert_result_was_sent(school, "weather")


def test_an_answer_is_parsed_into_a_model(chat: Chat) -> None:
    model = chat().with_structured_output(Person, method="json_schema")
    assert model.invoke(PERSON) == Person(name="Ada", age=36)


def test_an_answer_is_parsed_into_a_model_by_a_forced_call(chat: Chat) -> None:
    model = chat().with_structured_output(Person, method="function_calling")
    assert model.invoke(calling("Person", name="Ada", age=36)) == Person(name="Ada", age=36)


def test_an_image_reaches_the_school(chat: Chat, school: School, png: str) -> None:
    parts = [{"type": "text", "text": "[[sim text=seen]]"}, {"type": "image_url", "image_url": {"url": png}}]
    assert chat(SEEING).invoke([HumanMessage(cast(Any, parts))]).content == "seen"
    assert_one_image_was_seen(school)


def test_a_bad_key_is_an_authentication_error(chat: Chat) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(key=BAD_KEY).invoke("hello")
    assert caught.value.code == "invalid_api_key"


def test_what_the_filter_refuses_is_not_sent_again(chat: Chat, school: School) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat().invoke(FILTERED)
    assert caught.value.code == "content_filter"
    assert len(school.prompts()) == 1


def test_a_failure_in_mid_stream_is_raised(chat: Chat, school: School) -> None:
    with pytest.raises(openai.APIError) as caught:
        list(chat().stream(FAILING))
    assert caught.value.code == "school_error"
    assert len(school.prompts()) == 1


def test_a_client_that_leaves_ends_the_schools_answer(chat: Chat, school: School) -> None:
    with closing(cast(Any, chat().stream(HELD))) as stream:
        next(chunk for chunk in stream if chunk.content)
    assert_client_left(school)
