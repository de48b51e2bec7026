"""Streams: their frames, and how directives steer them."""

from __future__ import annotations

import httpx
import pytest

from simulator.steering import Directive, parse
from tests.simulator.clients import USERNAME, Member, Simulator, events, pieces


def received_until_broken(response: httpx.Response) -> str:
    """Return what came of a body that must not come to its end."""
    received = ""
    try:
        for chunk in response.iter_text():
            received += chunk
    except httpx.RemoteProtocolError:
        return received
    pytest.fail("the body came to its end")


def test_a_stream_has_pieces_a_summary_and_an_end(member: Member) -> None:
    response = member.complete('[[sim text="Hello there"]]')
    [first, second, summary, done] = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (first["data"], second["data"], first["id"]) == ("Hello ", "there", second["id"])
    assert summary["data"] == {"aiText": "Hello there", "promptTokens": 7, "completionTokens": 2}
    assert done == "[DONE]"


def test_some_models_give_no_token_counts(member: Member) -> None:
    session = member.create(model="qwen-vl-plus")
    summary = events(member.complete("[[sim text=x]]", session["id"]))[-2]
    assert summary["data"] == {"aiText": "x"}


@pytest.mark.parametrize("style", ["lf", "crlf", "multiline", "comments"])
def test_every_style_of_frames_says_the_same(simulator: Simulator, member: Member, style: str) -> None:
    simulator.settings(frames=style)
    response = member.complete('[[sim text="line\\nbreak" pieces=2]]')
    assert "".join(event["data"] for event in pieces(response)) == "line\nbreak"
    assert events(response)[-1] == "[DONE]"


@pytest.mark.parametrize(("style", "sign"), [("crlf", "\r\n\r\n"), ("multiline", '\ndata: "'), ("comments", "\n: ")])
def test_every_style_of_frames_looks_different(simulator: Simulator, member: Member, style: str, sign: str) -> None:
    assert sign not in member.complete("x").text
    simulator.settings(frames=style)
    assert sign in member.complete("x").text


@pytest.mark.parametrize(
    ("model", "thinking", "reasons"),
    [
        ("qwen3.6-27b", "low", True),
        ("qwen3.6-27b", "minimal", False),
        ("qwen3.6-27b", None, False),
        ("gpt-5.4-nano", "high", False),
    ],
)
def test_a_thinking_model_reasons_when_asked_to(
    member: Member, model: str, thinking: str | None, reasons: bool
) -> None:
    session = member.create(model=model)
    found = pieces(member.complete("x", session["id"], thinking=thinking))
    assert any("reasoning_data" in event for event in found) is reasons


def test_steered_reasoning_comes_before_the_text(member: Member) -> None:
    found = pieces(member.complete('[[sim reasoning="let me see" text=done]]'))
    assert "".join(event.get("reasoning_data", "") for event in found) == "let me see"
    assert found[-1]["data"] == "done"


def test_a_cut_stream_ends_cleanly_without_summary_or_end(member: Member) -> None:
    found = events(member.complete("[[sim pieces=9 cut_after=2]]"))
    assert [event["data"] for event in found] == ["piece1 ", "piece2 "]


def test_an_aborted_stream_breaks_in_the_middle_of_the_body(simulator: Simulator, member: Member) -> None:
    session_id = member.create()["id"]
    body = {"text": "[[sim pieces=9 abort_after=2]]", "sessionId": session_id}
    url = f"{member.api_url}/chat/completions"
    with member.http.stream("POST", url, headers=member.headers, json=body) as response:
        received = received_until_broken(response)
    assert [event["data"] for event in events(received)] == ["piece1 ", "piece2 "]
    simulator.wait(user=USERNAME, ended="abort")


def test_an_error_event_ends_a_stream(member: Member) -> None:
    found = events(member.complete("[[sim pieces=9 error_after=1 error_code=10042]]"))
    assert [event["code"] for event in found] == [0, 10042]


def test_frames_can_be_left_out(member: Member) -> None:
    assert "[DONE]" not in events(member.complete("[[sim text=x no_done]]"))
    assert len(events(member.complete("[[sim text=x no_summary]]"))) == 2
    assert len(events(member.complete("[[sim empty no_summary]]"))) == 1


def test_an_answer_can_be_plain_json(member: Member) -> None:
    assert member.complete("[[sim plain text=x]]").json()["data"] == {"aiText": "x"}


def test_a_held_stream_goes_on_when_released(simulator: Simulator, member: Member) -> None:
    body = {"text": "[[sim hold text=x pieces=1]]", "sessionId": member.create()["id"]}
    url = f"{member.api_url}/chat/completions"
    with member.http.stream("POST", url, headers=member.headers, json=body) as response:
        lines = response.iter_lines()
        assert '"data":"x"' in next(lines)
        simulator.wait(held=1)
        simulator.post("release")
        assert list(lines)[-2] == "data: [DONE]"


def test_a_client_that_leaves_ends_its_stream(simulator: Simulator, member: Member) -> None:
    body = {"text": "[[sim hold]]", "sessionId": member.create()["id"]}
    url = f"{member.api_url}/chat/completions"
    with member.http.stream("POST", url, headers=member.headers, json=body) as response:
        lines = response.iter_lines()
        next(lines)
        simulator.wait(held=1)
    simulator.wait(user=USERNAME, ended="client_left")
    assert simulator.state()["held"] == 0


def test_a_session_with_an_open_stream_is_not_deleted(simulator: Simulator, member: Member) -> None:
    simulator.settings(delete_grace_seconds=0)
    session_id = member.create()["id"]
    body = {"text": "[[sim hold]]", "sessionId": session_id}
    url = f"{member.api_url}/chat/completions"
    with member.http.stream("POST", url, headers=member.headers, json=body):
        assert member.post("chat/delSession", {"ids": [session_id]}).json()["code"] == 10012


def test_a_delayed_stream_is_complete(member: Member) -> None:
    assert member.say("[[sim text=abc pieces=3 delay_ms=1 first_delay_ms=1]]") == "abc"


def test_a_directive_with_a_bad_number_is_refused(member: Member) -> None:
    answer = member.complete("[[sim pieces=many]]").json()
    assert (answer["code"], "directive" in answer["msg"]) == (10001, True)


def test_the_last_directive_wins() -> None:
    assert parse("[[sim text=a hold]] and [[sim text=b]]") == Directive(text="b")


def test_unknown_keys_are_ignored() -> None:
    assert parse('[[sim colour=red shape="round" bright empty]]') == Directive(empty=True)


def test_quoted_values_may_hold_escapes_and_brackets() -> None:
    assert parse(r'[[sim text="a \"b\"\n]] c"]]').text == 'a "b"\n]] c'


def test_a_text_without_a_directive_steers_nothing() -> None:
    assert parse("[[simulate]] [[sim") == Directive()
