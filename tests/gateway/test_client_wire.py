"""What OpenAI clients depend on: one test for each rule, named after it."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.conftest import body
from tests.gateway.test_chat_completions import frames
from tests.gateway.test_tool_chats import GOOD, ask, says
from tests.school import MODEL, School

CHAT = "/v1/chat/completions"


def stream(client: httpx.Client, prompt: str = '[[sim text="a b c" pieces=3]]', **fields: Any) -> httpx.Response:
    return client.post(CHAT, json=body(prompt, stream=True, **fields))


def test_rule_01_frames_are_data_json_blank_line_with_lf_only(client: httpx.Client) -> None:
    raw = stream(client).content
    assert b"\r" not in raw
    assert re.fullmatch(rb"(data: \{[^\n]*\}\n\n)+data: \[DONE\]\n\n", raw)


def test_rule_02_first_chunk_has_the_role_and_all_share_id_created_model(client: httpx.Client) -> None:
    chunks = frames(stream(client))[:-1]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert all(isinstance(chunk["choices"], list) for chunk in chunks)


def test_rule_03_last_chunk_has_an_empty_delta_and_a_finish_reason(client: httpx.Client) -> None:
    *_, last, _ = frames(stream(client))
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")


def test_rule_04_usage_comes_in_one_more_chunk_when_asked_for(client: httpx.Client) -> None:
    *others, usage, _ = frames(stream(client, stream_options={"include_usage": True}))
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == usage["usage"]["prompt_tokens"] + usage["usage"]["completion_tokens"]
    assert [chunk["usage"] for chunk in others] == [None] * len(others)


def test_rule_04_without_the_option_there_is_no_usage(client: httpx.Client) -> None:
    assert all("usage" not in chunk for chunk in frames(stream(client))[:-1])


def test_rule_05_keep_alive_is_a_block_of_its_own(client: httpx.Client, school: School) -> None:
    school.fault("hang", call="completions")
    with client.stream("POST", CHAT, json=body(stream=True)) as response:
        assert next(response.iter_bytes()).startswith(b": keep-alive\n\n")


def test_rule_06_no_id_retry_or_event_fields(client: httpx.Client) -> None:
    lines = stream(client).text.splitlines()
    assert all(line == "" or line.startswith("data: ") for line in lines)


def test_rule_07_a_failure_after_the_200_is_an_error_frame_without_done(client: httpx.Client) -> None:
    response = stream(client, '[[sim text="a b c" error_after=1]]')
    last = frames(response)[-1]
    assert set(last["error"]) == {"message", "type", "code", "param"}
    assert b"[DONE]" not in response.content


def test_rule_08_a_cut_stream_ends_by_an_error_frame(client: httpx.Client) -> None:
    response = stream(client, '[[sim text="a b c" abort_after=2]]')
    assert "error" in frames(response)[-1]


def test_rule_09_an_early_failure_is_a_real_status(client: httpx.Client) -> None:
    response = stream(client, "a forbidden-word")
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")


def test_rule_10_reasoning_goes_in_reasoning_content(client: httpx.Client) -> None:
    chunks = frames(stream(client, "[[sim text=x reasoning=hm]]", reasoning_effort="low"))
    assert chunks[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}


def test_rule_11_a_calls_first_delta_has_index_id_type_and_name(client: httpx.Client) -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in frames(ask(client, says(GOOD), stream=True))[:-1]]
    first, *rest = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert set(first) == {"index", "id", "type", "function"}
    assert (first["index"], first["type"], first["function"]["name"]) == (0, "function", "weather")
    assert "".join(call["function"]["arguments"] for call in [first, *rest]) == '{"city":"Suzhou"}'


def test_rule_12_errors_have_four_fields_and_never_echo_the_key(client: httpx.Client) -> None:
    wrong = "xg-0123456789-thisisnotakey"
    response = client.get("/v1/models", headers={"authorization": f"Bearer {wrong}"})
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert wrong not in response.text
    assert response.headers["content-type"] == "application/json"


def test_rule_13_a_bad_key_is_401_and_an_unknown_model_404(client: httpx.Client) -> None:
    bad = client.post(CHAT, json=body(), headers={"authorization": "Bearer nonsense"})
    assert (bad.status_code, bad.json()["error"]["code"]) == (401, "invalid_api_key")
    unknown = client.post(CHAT, json=body(model="none"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_rule_14_429_carries_retry_after_of_at_most_60(client: httpx.Client, school: School) -> None:
    school.add_sessions(50)
    response = client.post(CHAT, json=body())
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 60


def test_rule_15_no_retry_where_it_would_only_spend_points(client: httpx.Client) -> None:
    response = client.post(CHAT, json=body('[[sim text="a b" cut_after=1]]'))
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/unknown", "/healthz"])
def test_rule_16_every_answer_has_a_request_id(client: httpx.Client, path: str) -> None:
    assert client.get(path).headers["x-request-id"].startswith("req_")


def test_rule_17_a_browser_may_ask_without_a_key(gateway: httpx.Client) -> None:
    asked = "authorization, content-type, x-stainless-os, x-stainless-lang"
    headers = {"origin": "http://chat.example", "access-control-request-headers": asked}
    response = gateway.options(CHAT, headers={**headers, "access-control-request-method": "POST"})
    assert response.status_code == 204
    assert response.headers["access-control-allow-headers"] == asked
    assert response.headers["access-control-allow-origin"] == "*"


def test_rule_17_a_browser_may_read_the_headers_of_an_answer(client: httpx.Client) -> None:
    exposed = client.get("/v1/models", headers={"origin": "http://chat.example"}).headers[
        "access-control-expose-headers"
    ]
    assert {"x-request-id", "retry-after", "x-ratelimit-limit-requests"} <= set(exposed.split(", "))


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/", "/models", "/v1/v1/models", "/v1/chat/completions/models"]
)
def test_rule_18_a_base_url_may_be_pasted_in_many_forms(client: httpx.Client, path: str) -> None:
    assert client.get(path).json()["object"] == "list"


@pytest.mark.parametrize("path", [CHAT, f"{CHAT}/", "/chat/completions", f"{CHAT}/chat/completions"])
def test_rule_18_a_chat_is_found_in_as_many(client: httpx.Client, path: str) -> None:
    assert client.post(path, json=body()).status_code == 200


def test_rule_18_a_slash_in_a_model_id_is_decoded(client: httpx.Client, account: Any) -> None:
    from gateway import catalogue
    from gateway.school.catalog import Model

    catalogue.store(account.pk, [Model(id="org/model", label="x")])
    assert client.get("/v1/models/org%2Fmodel").json()["id"] == "org/model"


def test_rule_19_models_come_from_a_cache_also_when_the_school_is_down(client: httpx.Client, school: School) -> None:
    school.fault("outage", times=None)
    answer = client.get("/v1/models").json()
    assert [model["id"] for model in answer["data"]] == [MODEL, "gpt-5.6-luna"]
    assert answer["data"][0]["capabilities"]["web_search"] is True
    assert school.calls() == []


def test_rule_20_what_has_no_effect_is_accepted_and_named(client: httpx.Client) -> None:
    fields: dict[str, Any] = {"top_p": 1, "seed": 5, "logprobs": False}
    response = client.post(CHAT, json=body(**fields))
    assert response.status_code == 200
    assert response.headers["x-gateway-ignored-parameters"] == "logprobs, seed, top_p"


def test_rule_21_all_roles_and_shapes_of_content_are_taken(client: httpx.Client, school: School) -> None:
    messages = [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "content": [{"type": "text", "text": "u1"}, {"type": "text", "text": "u2"}]},
        {"role": "assistant", "content": None, "reasoning_content": "ignored"},
        {"role": "tool", "content": "t", "tool_call_id": "1"},
        {"role": "function", "content": "f", "name": "look"},
    ]
    assert client.post(CHAT, json=body(messages=messages)).status_code == 200
    prompt = school.prompts()[0]
    assert "ignored" not in prompt
    assert all(text in prompt for text in ("s", "d", "u1\nu2", '{"content":"t"}', '{"name":"look","content":"f"}'))


def test_rule_22_a_whole_answer_has_text_and_integer_usage(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=body()).json()
    assert answer["object"] == "chat.completion"
    assert isinstance(answer["choices"][0]["message"]["content"], str)
    assert all(isinstance(count, int) for count in answer["usage"].values())
    assert json.dumps(answer)
