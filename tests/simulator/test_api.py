"""The calls of the school's API, when nothing is refused."""

from __future__ import annotations

import pytest

from tests.simulator.clients import Member, Simulator, events, member_of


def test_the_config_lists_21_models_in_mixed_forms(member: Member) -> None:
    models = member.get("chat/config").json()["data"]["models"]
    assert len(models) == 21
    assert "llama-4-scout" in models
    flags = {type(model["online"]) for model in models if isinstance(model, dict)}
    assert flags == {bool, int, str}


def test_the_models_of_the_protocol_page_are_listed(member: Member) -> None:
    models = member.get("chat/config").json()["data"]["models"]
    listed = {model["value"]: model for model in models if isinstance(model, dict)}
    assert {"qwen3.6-27b", "gpt-5.4-nano", "gpt-5.6-luna"} <= listed.keys()
    assert listed["gpt-5.6-luna"]["multimodal"]
    assert [name for name, model in listed.items() if model["expired"]] == ["gpt-4o"]


def test_sessions_are_listed_newest_first(member: Member) -> None:
    first, second = member.create(name="first"), member.create(name="second")
    listed = member.get("chat/session").json()["data"]
    assert [session["id"] for session in listed] == [second["id"], first["id"]]
    assert listed[0]["contextCount"] == 5


def test_an_update_with_all_fields_changes_the_session(member: Member) -> None:
    session = member.create()
    answer = member.post("chat/saveSession", {**session, "name": "renamed", "contextCount": 0})
    assert answer.json()["code"] == 0
    listed = member.get("chat/session").json()["data"]
    assert [(one["name"], one["contextCount"]) for one in listed] == [("renamed", 0)]


def test_an_update_without_all_fields_is_refused(member: Member) -> None:
    session = member.create()
    answer = member.post("chat/saveSession", {**member.fields, "id": session["id"]})
    assert answer.json()["code"] == 10001
    assert "contextCount" in answer.json()["msg"]


def test_an_update_of_an_unknown_session_is_refused(member: Member) -> None:
    session = member.create()
    assert member.post("chat/saveSession", {**session, "id": 1}).json()["code"] == 10002


def test_a_create_without_a_needed_field_is_refused(member: Member) -> None:
    fields = {name: value for name, value in member.fields.items() if name != "maxToken"}
    assert member.post("chat/saveSession", fields).json()["code"] == 10001


def test_an_unknown_model_is_refused(member: Member) -> None:
    answer = member.post("chat/saveSession", {**member.fields, "model": "nobody"})
    assert answer.json()["code"] == 10003


def test_several_sessions_are_deleted_at_once_and_unknown_ids_are_ignored(member: Member) -> None:
    ids = [member.create()["id"], member.create()["id"]]
    assert member.post("chat/delSession", {"ids": [*ids, 1]}).json()["code"] == 0
    assert member.get("chat/session").json()["data"] == []


def test_somebody_elses_session_is_neither_deleted_nor_used(simulator: Simulator, member: Member) -> None:
    simulator.post("users", username="Other.Person24", password="x")
    foreign = member_of(simulator, "Other.Person24").create()["id"]
    assert member.post("chat/delSession", {"ids": [foreign]}).json()["code"] == 0
    assert member.complete("hello", foreign).json()["code"] == 10002
    assert [session["id"] for session in simulator.user("Other.Person24")["sessions"]] == [foreign]


@pytest.mark.parametrize("body", [{"text": "x", "sessionId": "1"}, {"text": "x"}, {"sessionId": 1}])
def test_a_completion_that_cannot_be_read_is_refused(member: Member, body: object) -> None:
    assert member.post("chat/completions", body).json()["code"] == 10001


def test_an_empty_prompt_is_refused(member: Member) -> None:
    assert member.complete("  ").json()["code"] == 10001


@pytest.mark.parametrize("key", ["url", "file_url"])
def test_an_upload_answers_its_url(simulator: Simulator, member: Member, key: str) -> None:
    simulator.settings(upload_key=key)
    answer = member.http.post(
        f"{member.api_url}/common/upload",
        headers=member.headers,
        data={"accept": "image", "lang": "en"},
        files={"file": ("cat.png", b"12345", "image/png")},
    ).json()
    [upload] = simulator.user()["uploads"]
    assert answer["data"] == {key: upload["url"]}
    assert (upload["filename"], upload["size"]) == ("cat.png", 5)


def test_an_upload_without_accept_is_refused(member: Member) -> None:
    files = {"file": ("cat.png", b"12345", "image/png")}
    answer = member.http.post(f"{member.api_url}/common/upload", headers=member.headers, files=files)
    assert answer.json()["code"] == 10001


def test_the_default_answer_says_what_was_received(member: Member) -> None:
    text = member.say("hello", online=1, files=["http://a/b.png"])
    assert text == "Simulated answer of qwen3.6-27b to 5 characters (online) (files: 1): hello"


def test_a_received_completion_is_kept_in_the_state(simulator: Simulator, member: Member) -> None:
    session = member.create(temperature=0.25)
    member.complete("hello", session["id"], thinking="low", responseId=None, lang="en")
    [kept] = simulator.user()["completions"]
    expected = {
        "text": "hello",
        "sessionId": session["id"],
        "thinking": "low",
        "model": "qwen3.6-27b",
        "temperature": 0.25,
    }
    assert kept.items() >= expected.items()
    assert kept["ended"] == "complete"


def test_earlier_turns_are_added_unless_the_context_count_is_0(member: Member) -> None:
    session = member.create()
    member.say("[[sim text=first]] one", session["id"])
    assert "User: [[sim text=first]] one\nAssistant: first\n" in member.say("[[sim echo]]", session["id"])
    member.post("chat/saveSession", {**session, "contextCount": 0})
    assert member.say("[[sim echo]]", session["id"]) == "[[sim echo]]"


def test_max_token_cuts_the_answer(member: Member) -> None:
    session = member.create(maxToken=3)
    found = events(member.complete("[[sim pieces=9]]", session["id"]))
    assert [event["data"] for event in found[:-2]] == ["piece1 ", "piece2 ", "piece3 "]
    assert found[-2]["data"]["completionTokens"] == 3


def test_codes_come_as_texts_where_that_is_set(simulator: Simulator, member: Member) -> None:
    simulator.settings(string_codes=True)
    assert member.get("chat/config").json()["code"] == "0"


def test_the_query_string_does_not_matter(member: Member) -> None:
    url = f"{member.api_url}/chat/session?sf_request_type=ajax&lang=zh"
    assert member.http.get(url, headers=member.headers).json()["code"] == 0
