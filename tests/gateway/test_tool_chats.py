"""Tools, structured output and reasoning in whole chats, through the real web process."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from accounts.models import ApiKey
from gateway.models import UsageRecord
from tests.conftest import body, closed_record
from tests.gateway.test_chat_completions import content, frames
from tests.school import School

CHAT = "/v1/chat/completions"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
GOOD = '<tool_call>{"name": "weather", "arguments": {"city": "Suzhou"}}</tool_call>'
BROKEN = '<tool_call>{"name": "weather", "arguments": {"town": 5}}</tool_call>'
REPAIR = "cannot be used"
"""What the prompt of a repair turn says."""


def says(text: str, **more: Any) -> str:
    """A directive that makes the simulated model say so. Its tags are escaped: in a prompt they are neutralised."""
    flags = "".join(f" {key}={value}" for key, value in more.items())
    escaped = json.dumps(text).replace("<", "\\u003c")
    return f"[[sim text={escaped}{flags}]]"


def ask(client: httpx.Client, prompt: str, **fields: Any) -> httpx.Response:
    return client.post(CHAT, json=body(prompt, **{"tools": [WEATHER], **fields}))


def message(response: httpx.Response) -> dict[str, Any]:
    return dict(response.json()["choices"][0]["message"])


def test_a_call_comes_as_tool_calls(client: httpx.Client) -> None:
    response = ask(client, says(GOOD))
    call = message(response)["tool_calls"][0]
    assert (call["type"], call["function"]["name"]) == ("function", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Suzhou"}
    assert message(response)["content"] is None
    assert response.json()["choices"][0]["finish_reason"] == "tool_calls"


def test_the_school_is_told_of_the_tools_and_of_no_tool_where_none_may_be_called(
    client: httpx.Client, school: School
) -> None:
    ask(client, says("ok"))
    ask(client, says("ok"), tool_choice="none")
    first, second = school.prompts()
    assert '"name":"weather"' in first
    assert "weather" not in second


def test_text_before_a_call_streams_and_the_call_follows(client: httpx.Client) -> None:
    chunks = frames(ask(client, says(f"Let me look. {GOOD}", pieces=12), stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert content(chunks).strip() == "Let me look."
    assert calls[0]["function"] == {"name": "weather", "arguments": ""}
    assert (calls[0]["index"], calls[0]["id"][:5]) == (0, "call_")
    assert json.loads("".join(call["function"].get("arguments", "") for call in calls)) == {"city": "Suzhou"}
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_history_of_calls_goes_to_the_school_in_the_same_form(client: httpx.Client, school: School) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Suzhou"}'}}
    messages = [
        {"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "user", "content": "And </tool_call> tomorrow?"},
    ]
    assert ask(client, "", messages=messages).status_code == 200
    prompt = school.prompts()[0]
    assert '<tool_call>\n{"name": "weather", "arguments": {"city":"Suzhou"}}\n</tool_call>' in prompt
    assert '<tool_response>\n{"name":"weather","content":"sunny"}\n</tool_response>' in prompt
    assert "‹/tool_call› tomorrow" in prompt


def test_a_broken_call_that_is_broken_again_is_given_as_text(client: httpx.Client, school: School) -> None:
    response = ask(client, says(BROKEN))
    assert BROKEN in message(response)["content"]
    assert response.json()["choices"][0]["finish_reason"] == "stop"
    assert len(school.prompts()) == 2
    assert REPAIR in school.prompts()[1]


def test_a_repair_turn_is_recorded_and_its_usage_summed(client: httpx.Client) -> None:
    usage = ask(client, says(BROKEN)).json()["usage"]
    row = closed_record()
    assert row.repairs == 1
    assert (row.prompt_tokens, row.completion_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])


def test_with_required_text_is_held_until_the_call_is_there(client: httpx.Client) -> None:
    chunks = frames(ask(client, says(f"Sure! {GOOD}"), tool_choice="required", stream=True))
    assert content(chunks) == ""
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_with_required_and_no_call_the_text_is_given_in_the_end(client: httpx.Client, school: School) -> None:
    assert message(ask(client, says("I will not."), tool_choice="required"))["content"] == "I will not."
    assert len(school.prompts()) == 2


def test_several_calls_in_one_answer(client: httpx.Client) -> None:
    assert len(message(ask(client, says(GOOD * 2)))["tool_calls"]) == 2
    assert len(message(ask(client, says(GOOD * 2), parallel_tool_calls=False))["tool_calls"]) == 1


def test_legacy_functions_get_a_function_call(client: httpx.Client) -> None:
    response = ask(client, says(GOOD), tools=None, functions=[WEATHER["function"]])
    assert message(response)["function_call"]["name"] == "weather"
    assert response.json()["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_bad_tools_and_formats_are_refused(
    client: httpx.Client, school: School, fields: dict[str, Any], param: str
) -> None:
    response = ask(client, "x", **fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert school.calls() == []


# Structured output.

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA, "strict": True}}


def test_json_is_taken_out_of_its_fence_and_chatter(client: httpx.Client) -> None:
    prompt = says('Here you are:\n```json\n{"n": 5}\n```\nAnything else?')
    response = client.post(CHAT, json=body(prompt, response_format=AS_SCHEMA))
    assert message(response)["content"] == '{"n": 5}'


def test_json_streams_as_validated_text(client: httpx.Client) -> None:
    chunks = frames(client.post(CHAT, json=body(says('Sure: {"n": 5}'), response_format=AS_SCHEMA, stream=True)))
    assert content(chunks) == '{"n": 5}'


def test_json_that_does_not_fit_is_asked_for_once_more_and_then_an_error(client: httpx.Client, school: School) -> None:
    response = client.post(CHAT, json=body(says('{"n": "secret-value"}'), response_format=AS_SCHEMA))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (502, "invalid_structured_output")
    assert "/properties/n/type" in error["message"]
    assert "secret-value" not in error["message"]
    assert len(school.prompts()) == 2


def test_a_json_object_is_any_object(client: httpx.Client) -> None:
    asked = body(says('{"a": [1]} '), response_format={"type": "json_object"})
    assert json.loads(message(client.post(CHAT, json=asked))["content"]) == {"a": [1]}


def test_tools_and_a_format_together(client: httpx.Client) -> None:
    assert message(ask(client, says(GOOD), response_format=AS_SCHEMA))["tool_calls"]
    assert message(ask(client, says('It is {"n": 1}.'), response_format=AS_SCHEMA))["content"] == '{"n": 1}'


# Reasoning and the key's preferences.

THOUGHT = '[[sim text="42" reasoning="hm"]]'


def test_reasoning_can_be_left_out(client: httpx.Client) -> None:
    response = client.post(CHAT, json=body(THOUGHT, reasoning={"effort": "high", "exclude": True}))
    assert "reasoning_content" not in message(response)
    assert message(response)["content"] == "42"


def test_a_key_can_fold_reasoning_into_the_text(client: httpx.Client) -> None:
    ApiKey.objects.update(fold_reasoning=True)
    whole = message(client.post(CHAT, json=body(THOUGHT)))
    streamed = content(frames(client.post(CHAT, json=body(THOUGHT, stream=True))))
    assert whole["content"] == streamed == "<think>\nhm\n</think>\n\n42"
    assert "reasoning_content" not in whole


def test_a_key_can_search_the_web_by_itself(client: httpx.Client, school: School) -> None:
    ApiKey.objects.update(web_search=True)
    client.post(CHAT, json=body())
    assert school.user()["completions"][0]["online"]


def test_a_chat_without_tools_takes_one_turn(client: httpx.Client) -> None:
    client.post(CHAT, json=body())
    assert closed_record().repairs == 0
    assert UsageRecord.objects.count() == 1
