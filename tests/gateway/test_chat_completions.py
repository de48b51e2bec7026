"""`POST /v1/chat/completions` through the real web process."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.models import UpstreamSession, UsageRecord
from tests.conftest import body, until
from tests.school import MODEL, School


def frames(response: httpx.Response) -> list[Any]:
    """The payloads of a stream's events; `[DONE]` as text."""
    texts = [block.removeprefix("data: ") for block in response.text.split("\n\n") if block.startswith("data: ")]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def content(chunks: list[Any]) -> str:
    choices = [chunk["choices"][0] for chunk in chunks if chunk != "[DONE]" and chunk.get("choices")]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_an_answer_comes_whole(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json=body('[[sim text="Good morning"]]')).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "Good morning"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_an_answer_streams_piece_by_piece(client: httpx.Client) -> None:
    chunks = frames(client.post("/v1/chat/completions", json=body('[[sim text="a b c" pieces=3]]', stream=True)))
    assert content(chunks) == "a b c"
    assert chunks[-1] == "[DONE]"
    assert len({chunk["id"] for chunk in chunks[:-1]}) == 1


def test_a_single_user_message_goes_to_the_school_as_it_is(client: httpx.Client, school: School) -> None:
    client.post("/v1/chat/completions", json=body("Just this."))
    assert school.prompts() == ["Just this."]


def test_a_conversation_goes_as_labelled_blocks(client: httpx.Client, school: School) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    client.post("/v1/chat/completions", json=body(messages=messages))
    assert school.prompts() == ["System:\nBe brief.\n\nUser:\nHi\n\nAssistant:"]


def test_a_long_prompt_is_not_truncated(client: httpx.Client, school: School) -> None:
    prompt = "0123456789" * 10_000
    client.post("/v1/chat/completions", json=body(prompt))
    assert school.prompts() == [prompt]


def test_sampling_goes_into_the_session_and_no_earlier_turns_are_added(client: httpx.Client, school: School) -> None:
    client.post("/v1/chat/completions", json=body(temperature=0.3, max_completion_tokens=77, presence_penalty=0.5))
    sent = school.user()["completions"][0]
    assert (sent["temperature"], sent["maxToken"], sent["presencePenalty"]) == (0.3, 77, 0.5)
    assert school.sessions()[0]["contextCount"] == 0


def test_reasoning_comes_as_reasoning_content(client: httpx.Client) -> None:
    prompt = '[[sim text="42" reasoning="let me think"]]'
    answer = client.post("/v1/chat/completions", json=body(prompt, reasoning_effort="high")).json()
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "42",
        "refusal": None,
        "reasoning_content": "let me think",
    }
    chunks = frames(client.post("/v1/chat/completions", json=body(prompt, reasoning_effort="high", stream=True)))
    pieces = [chunk["choices"][0]["delta"].get("reasoning_content", "") for chunk in chunks[:-1]]
    assert "".join(pieces) == "let me think"


@pytest.mark.parametrize(
    ("asked", "sent"), [("minimal", "minimal"), ("low", "low"), ("medium", "medium"), ("high", "high")]
)
def test_reasoning_effort_becomes_thinking(client: httpx.Client, school: School, asked: str, sent: str) -> None:
    client.post("/v1/chat/completions", json=body(reasoning_effort=asked))
    assert school.user()["completions"][0]["thinking"] == sent


def test_web_search_by_option_and_by_model_suffix(client: httpx.Client, school: School) -> None:
    client.post("/v1/chat/completions", json=body(web_search_options={}))
    client.post("/v1/chat/completions", json=body(model=f"{MODEL}:online"))
    client.post("/v1/chat/completions", json=body())
    assert [bool(sent["online"]) for sent in school.user()["completions"]] == [True, True, False]


def test_a_stop_sequence_ends_the_answer_and_is_not_shown(client: httpx.Client) -> None:
    prompt = '[[sim text="one two THE END three" pieces=9]]'
    chunks = frames(client.post("/v1/chat/completions", json=body(prompt, stop=["THE END"], stream=True)))
    assert content(chunks) == "one two "
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_an_answer_that_reached_max_tokens_ends_by_length(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json=body('[[sim text="a b c d e f"]]', max_tokens=2)).json()
    assert answer["choices"][0]["finish_reason"] == "length"


def test_parameters_without_effect_are_named(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", json=body(seed=1, top_p=0.5, user="me", logit_bias=None))
    assert response.headers["x-gateway-ignored-parameters"] == "seed, top_p"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"stop": 7}, "stop"),
    ],
)
def test_bad_input_is_refused_naming_the_parameter(
    client: httpx.Client, school: School, fields: dict[str, Any], param: str
) -> None:
    response = client.post("/v1/chat/completions", json=body(**fields))
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert school.calls() == []


def test_a_body_that_is_not_json_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", content=b"{model: x")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")


def test_a_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", content=b" " * (33 * 1024 * 1024))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


def test_an_unknown_model_is_not_found(client: httpx.Client, school: School) -> None:
    response = client.post("/v1/chat/completions", json=body(model="gpt-unknown"))
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert school.calls() == []


def test_a_model_that_the_school_just_added_is_found(client: httpx.Client, account: Any, school: School) -> None:
    from datetime import timedelta

    from gateway.models import Catalogue

    row = Catalogue.objects.get(account=account)
    Catalogue.objects.update(fetched_at=row.fetched_at - timedelta(hours=1))
    response = client.post("/v1/chat/completions", json=body(model="gpt-5.4-nano"))
    assert response.status_code == 200
    assert school.calls() == ["config", "saveSession", "completions"]


# Refusals of the filter.


@pytest.mark.parametrize("prompt", ["a forbidden-word", "open file:///etc/passwd", "<<odd-markup>>"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_filter_refuses_is_an_error(client: httpx.Client, prompt: str, stream: bool) -> None:
    response = client.post("/v1/chat/completions", json=body(prompt, stream=stream))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "content_filter")
    assert response.headers["x-should-retry"] == "false"


def test_a_refusal_after_other_text_ends_by_content_filter(client: httpx.Client) -> None:
    prompt = '[[sim reasoning="hm" text="Request Err!"]]'
    chunks = frames(client.post("/v1/chat/completions", json=body(prompt, reasoning_effort="high", stream=True)))
    assert chunks[-2]["choices"][0]["finish_reason"] == "content_filter"
    assert content(chunks) == ""


def test_an_answer_that_begins_like_a_refusal_is_not_lost(client: httpx.Client) -> None:
    prompt = '[[sim text="Unfortunately, I don\'t have a dog." pieces=12]]'
    chunks = frames(client.post("/v1/chat/completions", json=body(prompt, stream=True)))
    assert content(chunks) == "Unfortunately, I don't have a dog."


# Answers that are not whole.


def test_a_cut_answer_is_an_error_and_has_no_done(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", json=body('[[sim text="a b c" cut_after=2]]', stream=True))
    chunks = frames(response)
    assert chunks[-1]["error"]["code"] == "answer_cut"
    assert "[DONE]" not in chunks


def test_a_cut_answer_that_is_not_streamed_is_502_and_not_to_be_retried(client: httpx.Client, school: School) -> None:
    response = client.post("/v1/chat/completions", json=body('[[sim text="a b c" cut_after=2]]'))
    assert (response.status_code, response.headers["x-should-retry"]) == (502, "false")
    assert len(school.prompts()) == 1


def test_an_error_in_mid_stream_is_the_last_frame(client: httpx.Client) -> None:
    chunks = frames(client.post("/v1/chat/completions", json=body('[[sim text="a b c" error_after=1]]', stream=True)))
    assert "error" in chunks[-1]
    assert content(chunks[:-1]) != ""


def test_an_answer_without_done_is_complete_with_its_summary(client: httpx.Client) -> None:
    chunks = frames(client.post("/v1/chat/completions", json=body('[[sim text="a b" no_done]]', stream=True)))
    assert (content(chunks), chunks[-1]) == ("a b", "[DONE]")


def test_a_plain_json_answer_is_an_answer(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json=body('[[sim text="plain" plain]]')).json()
    assert answer["choices"][0]["message"]["content"] == "plain"


# The client goes away.


def test_a_client_that_leaves_ends_the_chat_and_its_session_is_handed_to_cleanup(
    client: httpx.Client, school: School
) -> None:
    with client.stream("POST", "/v1/chat/completions", json=body('[[sim text="a b c" hold]]', stream=True)) as response:
        next(response.iter_bytes())
    until(lambda: UsageRecord.objects.filter(status="cancelled").exists(), "the cancelled record")
    assert UpstreamSession.objects.get().delete_at is not None
