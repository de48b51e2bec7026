"""The Responses API through the real web process, mostly by the official client."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from django.utils import timezone
from openai import DefaultHttpxClient, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from accounts.keys import key_issue
from accounts.models import Account
from accounts.services import member_add
from gateway import tasks
from gateway.api.responses_events import ResponseWriter
from gateway.api.responses_request import parse_responses
from gateway.errors import AnswerCut
from gateway.models import StoredResponse
from tests.conftest import closed_record
from tests.gateway.attachments.pictures import data_url, picture
from tests.gateway.test_tool_chats import GOOD, says
from tests.school import MODEL, PASSWORD, School
from tokens.services import token_import

PATH = "/v1/responses"
SEEING = "gpt-5.6-luna"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


class City(BaseModel):
    name: str


def asked(given: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": given, **fields}


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The payloads of the typed events; each must be named by its `event` field."""
    blocks = [block.split("\n") for block in response.text.split("\n\n") if block.startswith("event: ")]
    payloads = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [name.removeprefix("event: ") for name, _ in blocks] == [payload["type"] for payload in payloads]
    return payloads


def refused(response: httpx.Response) -> tuple[int, str | None, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@pytest.fixture
def sdk(client: httpx.Client, api_key: str) -> Iterator[OpenAI]:
    """The official client, which is to raise at the first error."""
    with DefaultHttpxClient(trust_env=False, timeout=60) as http:
        yield OpenAI(base_url=f"{client.base_url}/v1", api_key=api_key, max_retries=0, http_client=http)


@pytest.fixture
def other_key(school: School, account: Account) -> str:
    """The key of another member, whose account is logged in too."""
    school.add_user("Si.Li25")
    other = member_add(name="bob", xjtlu_username="Si.Li25", xjtlu_password=PASSWORD)
    token_import(account=other, pasted=school.token("Si.Li25"))
    return key_issue(member=other.member)[1]


# Answers that are not streamed.


def test_an_answer_comes_whole(sdk: OpenAI) -> None:
    answer = sdk.responses.create(model=MODEL, input='[[sim text="Good morning"]]')
    assert (answer.output_text, answer.status, answer.model) == ("Good morning", "completed", MODEL)
    assert answer.id.startswith("resp_")


def test_an_answer_is_what_the_client_library_declares_to_the_letter(client: httpx.Client) -> None:
    fields = {"tools": [WEATHER, {"type": "web_search"}], "metadata": {"a": "b"}, "reasoning": {"effort": "low"}}
    raw = client.post(PATH, json=asked(says(f"Look: {GOOD}"), **fields)).content
    answer = Response.model_validate_json(raw, strict=True)
    assert [item.type for item in answer.output] == ["reasoning", "message", "function_call"]
    assert answer.metadata == {"a": "b"}


def test_reasoning_is_an_item_of_its_own_before_the_message(sdk: OpenAI) -> None:
    prompt = '[[sim text="42" reasoning="let me think"]]'
    answer = sdk.responses.create(model=MODEL, input=prompt, reasoning={"effort": "high", "summary": "auto"})
    reasoning, message = answer.output
    assert reasoning.type == "reasoning"
    assert [part.text for part in reasoning.summary] == ["let me think"]
    assert (message.type, answer.output_text) == ("message", "42")


def test_usage_is_counted_and_on_record(sdk: OpenAI) -> None:
    usage = sdk.responses.create(model=MODEL, input="hello").usage
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0
    row = closed_record()
    assert (row.endpoint, row.model, row.prompt_tokens) == ("responses", MODEL, usage.input_tokens)


def test_an_answer_that_reached_max_output_tokens_is_incomplete(sdk: OpenAI) -> None:
    answer = sdk.responses.create(model=MODEL, input='[[sim text="a b c d e f"]]', max_output_tokens=2)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


def test_an_answer_that_the_filter_cut_is_incomplete(sdk: OpenAI) -> None:
    prompt = '[[sim reasoning="hm" text="Request Err!"]]'
    answer = sdk.responses.create(model=MODEL, input=prompt, reasoning={"effort": "high"})
    assert answer.incomplete_details is not None
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "content_filter")


# What the school is asked.


def test_a_string_goes_to_the_school_as_it_is(sdk: OpenAI, school: School) -> None:
    sdk.responses.create(model=MODEL, input="Just this.", temperature=0.3, max_output_tokens=77)
    sent = school.user()["completions"][0]
    assert (sent["text"], sent["temperature"], sent["maxToken"]) == ("Just this.", 0.3, 77)


def test_instructions_and_messages_go_as_one_conversation(client: httpx.Client, school: School) -> None:
    given = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        {"role": "user", "content": "Go on"},
    ]
    assert client.post(PATH, json=asked(given, instructions="Be brief.")).status_code == 200
    assert school.prompts() == ["System:\nBe brief.\n\nUser:\nHi\n\nAssistant:\nYes?\n\nUser:\nGo on\n\nAssistant:"]


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview", "web_search_preview_2025_03_11"])
def test_a_web_search_tool_turns_web_search_on(client: httpx.Client, school: School, kind: str) -> None:
    assert client.post(PATH, json=asked(tools=[{"type": kind}], tool_choice="required")).status_code == 200
    sent = school.user()["completions"][0]
    assert (sent["online"], sent["text"]) == (True, "hello")


def test_images_go_to_a_model_that_sees(sdk: OpenAI, school: School) -> None:
    image: Any = {"type": "input_image", "image_url": data_url(picture("PNG"), "image/png"), "detail": "auto"}
    text: Any = {"type": "input_text", "text": "What is it?"}
    sdk.responses.create(model=SEEING, input=[{"role": "user", "content": [text, image]}])
    assert school.user()["completions"][0]["text"] == "What is it?\n[image 1]"
    assert len(school.user()["completions"][0]["files"]) == 1


def test_parameters_without_effect_are_named(client: httpx.Client) -> None:
    response = client.post(PATH, json=asked(top_p=0.5, include=["x"], text={"verbosity": "low"}, user="me"))
    assert response.headers["x-gateway-ignored-parameters"] == "include, text.verbosity, top_p"


# What is refused.


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": " "}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "x"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"instructions": 5}, "instructions"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": 5}}}, "text.format.schema"),
        ({"tools": [{"type": "web_search"}, {"type": "file_search"}]}, "tools[1].type"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_bad_input_is_refused_naming_the_parameter(
    client: httpx.Client, school: School, fields: dict[str, Any], param: str
) -> None:
    response = client.post(PATH, json=asked(**{"input": "hello", **fields}))
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert school.calls() == []


def test_a_hosted_tool_is_refused_by_name(sdk: OpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    with pytest.raises(openai.BadRequestError, match="code_interpreter"):
        sdk.responses.create(model=MODEL, input="hello", tools=[tool])


def test_an_image_for_a_model_that_does_not_see_is_refused(client: httpx.Client, school: School) -> None:
    image = {"type": "input_image", "image_url": data_url(picture("PNG"), "image/png")}
    given = [{"role": "user", "content": "Look."}, {"role": "user", "content": [image]}]
    response = client.post(PATH, json=asked(given, instructions="Be brief."))
    assert refused(response) == (400, "images_not_supported", "input[1].content[0]")
    assert school.calls() == []


def test_errors_are_those_of_the_client_library(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        sdk.responses.create(model="no-such-model", input="hello")
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.responses.create(model=MODEL, input="a forbidden-word", stream=True)
    assert caught.value.code == "content_filter"


# Tools and structured output.


def test_tools_go_round(sdk: OpenAI, school: School) -> None:
    first = sdk.responses.create(model=MODEL, input=says(GOOD), tools=[WEATHER])
    call = first.output[0]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Suzhou"})
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    given: Any = [{"role": "user", "content": "Weather?"}, call.to_dict(), result]
    assert sdk.responses.create(model=MODEL, input=given, tools=[WEATHER]).status == "completed"
    assert '{"name":"weather","content":"sunny"}' in school.prompts()[1]


def test_calls_in_a_row_are_one_turn(client: httpx.Client, school: School) -> None:
    calls = [
        {"type": "function_call", "call_id": name, "name": "weather", "arguments": json.dumps({"city": name})}
        for name in ("Suzhou", "Taicang")
    ]
    assert client.post(PATH, json=asked([{"role": "user", "content": "Both?"}, *calls])).status_code == 200
    assert school.prompts()[0].count("Assistant:\n") == 1


def test_a_choice_of_web_search_calls_no_function(client: httpx.Client, school: School) -> None:
    fields = {"tools": [WEATHER, {"type": "web_search"}], "tool_choice": {"type": "web_search"}}
    assert client.post(PATH, json=asked(**fields)).status_code == 200
    assert school.prompts() == ["hello"]


def test_an_answer_fits_its_schema(sdk: OpenAI) -> None:
    prompt = says('Here: {"name": "Suzhou"}')
    answer = sdk.responses.parse(model=MODEL, input=prompt, text_format=City)
    assert answer.output_parsed == City(name="Suzhou")


# Streams.


def test_a_stream_has_typed_events_in_order(client: httpx.Client) -> None:
    seen = events(client.post(PATH, json=asked('[[sim text="a b" pieces=2]]', stream=True)))
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert [event["type"].removeprefix("response.") for event in seen] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_a_stream_ends_with_the_whole_response(sdk: OpenAI) -> None:
    prompt = '[[sim text="forty two" pieces=2 reasoning="let me think"]]'
    with sdk.responses.stream(model=MODEL, input=prompt, reasoning={"effort": "high"}) as stream:
        seen = list(stream)
        answer = stream.get_final_response()
    thought = [event.delta for event in seen if event.type == "response.reasoning_summary_text.delta"]
    assert ("".join(thought), answer.output_text) == ("let me think", "forty two")
    assert [item.type for item in answer.output] == ["reasoning", "message"]


def test_a_call_streams_after_the_text_before_it(sdk: OpenAI) -> None:
    prompt = says(f"Let me look. {GOOD}", pieces=12)
    with sdk.responses.stream(model=MODEL, input=prompt, tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_response()
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds
    assert answer.output_text.strip() == "Let me look."
    assert answer.output[1].type == "function_call"


def test_a_stream_that_is_cut_short_by_its_limit_is_incomplete(client: httpx.Client) -> None:
    prompt = '[[sim text="a b c d e f"]]'
    last = events(client.post(PATH, json=asked(prompt, stream=True, max_output_tokens=2)))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["output"][-1]["status"] == "incomplete"


def test_a_failure_after_the_200_fails_the_response_and_nothing_tells_of_success(client: httpx.Client) -> None:
    response = client.post(PATH, json=asked('[[sim text="a b c" error_after=1]]', stream=True))
    *_, failed, error = events(response)
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert error["type"] == "error"
    assert set(error["error"]) == {"message", "type", "param", "code"}
    assert "response.completed" not in response.text
    Response.model_validate(failed["response"], strict=True)


def test_a_failure_after_the_200_is_raised_by_the_client_library(sdk: OpenAI) -> None:
    with sdk.responses.create(model=MODEL, input='[[sim text="a b c" cut_after=2]]', stream=True) as stream:
        with pytest.raises(openai.APIError):
            list(stream)


def test_a_failure_before_the_first_piece_begins_the_response_and_fails_it() -> None:
    request, _ = parse_responses(json.dumps(asked()).encode())
    frames = ResponseWriter(request).failed(AnswerCut("The answer was cut."))
    assert re.findall(r"^event: (\S+)$", frames.decode(), re.MULTILINE) == [
        "response.created",
        "response.in_progress",
        "response.failed",
        "error",
    ]


def test_keep_alives_flow_while_the_school_is_silent(client: httpx.Client, school: School) -> None:
    school.fault("hang", call="completions")
    with client.stream("POST", PATH, json=asked(stream=True)) as response:
        assert next(response.iter_bytes()).startswith(b": keep-alive\n\n")


# Storing.


def test_nothing_is_stored_unless_asked_for(sdk: OpenAI) -> None:
    answer = sdk.responses.create(model=MODEL, input="hello")
    assert not StoredResponse.objects.exists()
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(answer.id)


@pytest.mark.parametrize("stream", [False, True])
def test_a_stored_response_is_sealed_and_can_be_read_and_erased(
    sdk: OpenAI, client: httpx.Client, stream: bool
) -> None:
    given = '[[sim text="confidential words"]]'
    assert client.post(PATH, json=asked(given, store=True, stream=stream)).status_code == 200
    row = StoredResponse.objects.get()
    assert row.content.startswith("v1:")
    assert "confidential" not in row.content
    assert sdk.responses.retrieve(row.pk).output_text == "confidential words"
    deleted = client.delete(f"{PATH}/{row.pk}").json()
    assert deleted == {"id": row.pk, "object": "response", "deleted": True}
    assert not StoredResponse.objects.exists()
    assert refused(client.delete(f"{PATH}/{row.pk}")) == (404, "response_not_found", None)


def test_a_conversation_goes_on_without_the_earlier_instructions(sdk: OpenAI, school: School) -> None:
    first = sdk.responses.create(model=MODEL, input="[[sim text=one]]", instructions="Be brief.", store=True)
    second = sdk.responses.create(model=MODEL, input="Two?", previous_response_id=first.id, store=True)
    sdk.responses.create(model=MODEL, input="Three?", previous_response_id=second.id)
    assert school.prompts()[1] == "User:\n[[sim text=one]]\n\nAssistant:\none\n\nUser:\nTwo?\n\nAssistant:"
    assert school.prompts()[2].startswith(school.prompts()[1])
    assert StoredResponse.objects.count() == 2


def test_a_conversation_that_is_too_large_to_store_is_refused_before_it_is_asked(
    client: httpx.Client, school: School
) -> None:
    response = client.post(PATH, json=asked("x" * 4_000_000, store=True))
    assert refused(response) == (400, "too_large_to_store", "store")
    assert school.calls() == []


def test_a_stored_call_is_answered_by_its_result_alone(sdk: OpenAI, school: School) -> None:
    first = sdk.responses.create(model=MODEL, input=says(GOOD), tools=[WEATHER], store=True)
    call = first.output[0]
    assert call.type == "function_call"
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    sdk.responses.create(model=MODEL, input=[result], previous_response_id=first.id, tools=[WEATHER])
    assert '{"name":"weather","content":"sunny"}' in school.prompts()[1]


def test_what_is_stored_belongs_to_its_member(sdk: OpenAI, client: httpx.Client, other_key: str) -> None:
    mine = sdk.responses.create(model=MODEL, input="hello", store=True)
    client.headers["authorization"] = f"Bearer {other_key}"
    assert refused(client.get(f"{PATH}/{mine.id}"))[:2] == (404, "response_not_found")
    assert client.delete(f"{PATH}/{mine.id}").status_code == 404
    response = client.post(PATH, json=asked(previous_response_id=mine.id))
    assert refused(response) == (404, "previous_response_not_found", "previous_response_id")
    assert StoredResponse.objects.exists()


def test_what_has_expired_is_gone_and_is_erased(sdk: OpenAI, client: httpx.Client) -> None:
    mine = sdk.responses.create(model=MODEL, input="hello", store=True)
    tasks.erase_expired_responses()
    assert StoredResponse.objects.filter(expires_at__gt=timezone.now()).exists()
    StoredResponse.objects.update(expires_at=timezone.now())
    assert client.get(f"{PATH}/{mine.id}").status_code == 404
    assert client.post(PATH, json=asked(previous_response_id=mine.id)).status_code == 404
    tasks.erase_expired_responses()
    assert not StoredResponse.objects.exists()


def test_what_is_stored_goes_with_its_member(sdk: OpenAI, account: Account) -> None:
    sdk.responses.create(model=MODEL, input="hello", store=True)
    account.member.delete()
    assert not StoredResponse.objects.exists()


# Routes.


@pytest.mark.parametrize("path", ["/v1/responses/", "/responses", "/v1/responses/responses"])
def test_the_route_is_found_in_many_forms(client: httpx.Client, path: str) -> None:
    assert client.post(path, json=asked()).json()["object"] == "response"


def test_wrong_methods_and_routes_are_told_in_json(client: httpx.Client) -> None:
    assert refused(client.get(PATH)) == (405, "method_not_allowed", None)
    assert refused(client.post(f"{PATH}/resp_1")) == (405, "method_not_allowed", None)
    assert refused(client.get(f"{PATH}/resp_1/input_items")) == (404, "unknown_url", None)
