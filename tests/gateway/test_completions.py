"""`POST /v1/completions` through the real web process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import DefaultHttpxClient, OpenAI
from openai.types import Completion

from tests.conftest import closed_record
from tests.gateway.test_chat_completions import frames
from tests.school import MODEL, School

PATH = "/v1/completions"


def asked(prompt: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "prompt": prompt, **fields}


@pytest.fixture
def sdk(client: httpx.Client, api_key: str) -> Iterator[OpenAI]:
    """The official client, which is to raise at the first error."""
    with DefaultHttpxClient(trust_env=False, timeout=60) as http:
        yield OpenAI(base_url=f"{client.base_url}/v1", api_key=api_key, max_retries=0, http_client=http)


def test_a_completion_comes_whole(sdk: OpenAI) -> None:
    answer = sdk.completions.create(model=MODEL, prompt='[[sim text="Good morning"]]')
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Good morning", "stop")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


def test_a_completion_is_what_the_client_library_declares_to_the_letter(client: httpx.Client) -> None:
    raw = client.post(PATH, json=asked()).content
    assert Completion.model_validate_json(raw, strict=True).object == "text_completion"


def test_a_completion_streams_piece_by_piece(sdk: OpenAI) -> None:
    prompt = '[[sim text="a b c" pieces=3]]'
    with sdk.completions.create(model=MODEL, prompt=prompt, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "a b c"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_carries_usage_when_asked_for_and_ends_with_done(client: httpx.Client) -> None:
    response = client.post(PATH, json=asked(stream=True, stream_options={"include_usage": True}))
    *others, usage, done = frames(response)
    assert (done, usage["choices"]) == ("[DONE]", [])
    assert usage["usage"]["total_tokens"] > 0
    assert [chunk["usage"] for chunk in others] == [None] * len(others)


@pytest.mark.parametrize("prompt", ["Just this.", ["Just this."]])
def test_the_prompt_goes_to_the_school_as_it_is(client: httpx.Client, school: School, prompt: Any) -> None:
    assert client.post(PATH, json=asked(prompt, temperature=0.3, max_tokens=77)).status_code == 200
    sent = school.user()["completions"][0]
    assert (sent["text"], sent["temperature"], sent["maxToken"]) == ("Just this.", 0.3, 77)


@pytest.mark.parametrize("stream", [False, True])
def test_echo_puts_the_prompt_before_the_text(client: httpx.Client, stream: bool) -> None:
    prompt = "[[sim text=there]]"
    response = client.post(PATH, json=asked(prompt, echo=True, stream=stream))
    chunks = frames(response)[:-1] if stream else [response.json()]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == f"{prompt}there"


def test_a_stop_sequence_ends_the_text(sdk: OpenAI) -> None:
    answer = sdk.completions.create(model=MODEL, prompt='[[sim text="one THE END two"]]', stop="THE END")
    assert answer.choices[0].text == "one "


def test_parameters_without_effect_are_named(client: httpx.Client) -> None:
    response = client.post(PATH, json=asked(suffix="x", logprobs=1))
    assert response.headers["x-gateway-ignored-parameters"] == "logprobs, suffix"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"n": 2}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_bad_input_is_refused_naming_the_parameter(
    client: httpx.Client, school: School, fields: dict[str, Any], param: str
) -> None:
    response = client.post(PATH, json=asked(**{"prompt": "hello", **fields}))
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert school.calls() == []


def test_a_failure_after_the_200_is_raised(sdk: OpenAI) -> None:
    with sdk.completions.create(model=MODEL, prompt='[[sim text="a b c" cut_after=2]]', stream=True) as stream:
        with pytest.raises(openai.APIError):
            list(stream)


def test_the_request_is_on_record(client: httpx.Client) -> None:
    client.post(PATH, json=asked())
    assert closed_record().endpoint == "completions"


@pytest.mark.parametrize("path", ["/v1/completions/", "/completions"])
def test_the_route_is_found_in_many_forms(client: httpx.Client, path: str) -> None:
    assert client.post(path, json=asked()).json()["object"] == "text_completion"


def test_a_wrong_method_is_told_in_json(client: httpx.Client) -> None:
    response = client.get(PATH)
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
