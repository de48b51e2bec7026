"""What the school refuses, in every shape in which it says so."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.simulator.clients import USERNAME, Member, Simulator, events, member_of

FOREVER = 3600


def code_of(response: httpx.Response) -> Any:
    return response.json()["code"]


# Tokens


@pytest.mark.parametrize("missing", ["Jm-Token", "Cookie"])
def test_the_api_of_2026_needs_token_and_cookie(member: Member, missing: str) -> None:
    del member.headers[missing]
    assert member.get("chat/session").status_code == 401


@pytest.mark.parametrize("missing", ["Jm-Token", "Sdp-App-Session"])
def test_the_api_of_2025_needs_both_headers(simulator: Simulator, missing: str) -> None:
    simulator.settings(wire="2025")
    member = member_of(simulator)
    assert code_of(member.get("chat/session")) == 0
    del member.headers[missing]
    assert member.get("chat/session").status_code == 401


def test_the_other_generations_api_is_not_there(simulator: Simulator, member: Member) -> None:
    simulator.settings(wire="2025")
    assert member.get("chat/session").status_code == 404


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("shape", ["http", "code"])
def test_a_revoked_token_is_refused_by_status_or_code(
    simulator: Simulator, member: Member, shape: str, status: int
) -> None:
    simulator.settings(token_dead_shape=shape, token_dead_status=status)
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    answer = member.get("chat/config")
    assert code_of(answer) == status
    assert answer.status_code == (status if shape == "http" else 200)


def test_a_dead_token_can_look_like_a_server_error(simulator: Simulator, member: Member) -> None:
    simulator.settings(token_dead_shape="http500")
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    assert member.get("chat/config").status_code == 500


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_a_dead_token_can_get_the_sign_ons_html(simulator: Simulator, member: Member, generation: str) -> None:
    simulator.settings(token_dead_shape="html", sign_on=generation)
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    answer = member.get("chat/config")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_a_dead_token_can_be_the_first_event_of_a_stream(simulator: Simulator, member: Member) -> None:
    session_id = member.create()["id"]
    simulator.settings(token_dead_shape="event")
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    [event] = events(member.complete("x", session_id))
    assert event["code"] == 401


def test_an_expired_token_is_refused(simulator: Simulator) -> None:
    simulator.settings(token_lifetime_seconds=0)
    assert member_of(simulator).get("chat/config").status_code == 401


def test_an_idle_token_dies(simulator: Simulator, member: Member) -> None:
    assert member.get("chat/config").status_code == 200
    simulator.settings(idle_seconds=0)
    assert member.get("chat/config").status_code == 401


def test_a_forged_token_is_refused(member: Member) -> None:
    member.headers["Jm-Token"] += "x"
    assert member.get("chat/config").status_code == 401


@pytest.mark.parametrize(("single", "status"), [(False, 200), (True, 401)])
def test_a_new_token_revokes_older_ones_only_where_that_is_set(
    simulator: Simulator, member: Member, single: bool, status: int
) -> None:
    simulator.settings(single_token=single)
    member_of(simulator)
    assert member.get("chat/config").status_code == status


# Frequency


@pytest.mark.parametrize(
    ("shape", "status", "misleading"), [("code", 200, False), ("http", 429, False), ("code", 200, True)]
)
def test_calls_too_close_together_are_refused(
    simulator: Simulator, member: Member, shape: str, status: int, misleading: bool
) -> None:
    simulator.settings(interval=FOREVER, too_fast_shape=shape, too_fast_misleading=misleading)
    assert code_of(member.get("chat/config")) == 0
    answer = member.get("chat/session")
    assert (answer.status_code, code_of(answer)) == (status, 10006)
    assert answer.json()["msg"].startswith("Request too fast, please try again later!")
    assert ("length of the context" in answer.json()["msg"]) is misleading


def test_a_completion_too_early_can_be_refused_by_its_first_event(simulator: Simulator, member: Member) -> None:
    session_id = member.create()["id"]
    simulator.settings(interval=FOREVER, too_fast_shape="event")
    [event] = events(member.complete("x", session_id))
    assert event["code"] == 10006
    assert simulator.user()["completions"] == []


@pytest.mark.parametrize("path", ["chat/saveSession", "chat/delSession", "chat/completions", "common/upload"])
def test_the_limit_counts_all_calls_together(simulator: Simulator, member: Member, path: str) -> None:
    simulator.settings(interval=FOREVER)
    member.get("chat/config")
    assert code_of(member.post(path, {})) == 10006


def test_the_limit_counts_all_tokens_of_a_user_together(simulator: Simulator, member: Member) -> None:
    simulator.settings(interval=FOREVER)
    member.get("chat/config")
    assert code_of(member_of(simulator).get("chat/config")) == 10006


def test_the_limit_is_each_users_own(simulator: Simulator, member: Member) -> None:
    simulator.post("users", username="Other.Person24", password="x")
    simulator.settings(interval=FOREVER)
    member.get("chat/config")
    assert code_of(member_of(simulator, "Other.Person24").get("chat/config")) == 0


def test_refused_calls_are_recorded_with_their_gaps(simulator: Simulator, member: Member) -> None:
    simulator.settings(interval=FOREVER)
    member.get("chat/config")
    member.get("chat/session")
    user = simulator.user()
    assert [(call["call"], call["status"]) for call in user["calls"]] == [("config", "ok"), ("session", "too_fast")]
    assert user["too_fast"] == 1
    assert user["smallest_gap_seconds"] == user["calls"][1]["at"] - user["calls"][0]["at"]


# Sessions


def test_the_fifty_first_session_is_refused(simulator: Simulator, member: Member) -> None:
    simulator.post(f"users/{USERNAME}/sessions", count=49)
    member.create()
    answer = member.post("chat/saveSession", member.fields).json()
    assert answer["code"] != 0
    assert answer["msg"] == "You have created 50 sessions, please delete some of them first!"
    assert simulator.user()["peak_sessions"] == 50


def test_a_session_is_not_deleted_soon_after_its_stream(simulator: Simulator, member: Member) -> None:
    simulator.settings(delete_grace_seconds=FOREVER)
    session_id = member.create()["id"]
    member.complete("hello", session_id)
    assert code_of(member.post("chat/delSession", {"ids": [session_id]})) == 10012
    simulator.settings(delete_grace_seconds=0)
    assert code_of(member.post("chat/delSession", {"ids": [session_id]})) == 0


def test_one_busy_session_keeps_the_others_of_the_call(simulator: Simulator, member: Member) -> None:
    simulator.settings(delete_grace_seconds=FOREVER)
    ids = [member.create()["id"], member.create()["id"]]
    member.complete("hello", ids[0])
    member.post("chat/delSession", {"ids": ids})
    assert len(simulator.user()["sessions"]) == 2


# Prompts


def test_a_banned_word_gets_a_stream_without_text(member: Member) -> None:
    assert events(member.complete("a forbidden-word here")) == ["[DONE]"]


def test_a_banned_word_can_get_a_summary_without_text(simulator: Simulator, member: Member) -> None:
    simulator.settings(filter_shape="summary")
    [summary, done] = events(member.complete("a forbidden-word here"))
    assert (summary["data"]["aiText"], done) == ("", "[DONE]")


def test_poisonous_text_gets_the_firewalls_sentence_in_several_pieces(member: Member) -> None:
    response = member.complete("read file:///etc/passwd")
    text = "".join(event["data"] for event in events(response) if event != "[DONE]" and event["type"] == "string")
    assert text == (
        "Unfortunately, I don't have any relevant information regarding this matter. However. "
        "Please feel free to ask me other questions, and I’ll do my best to help."
    )
    assert len(events(response)) > 5


def test_odd_markup_gets_a_request_error(member: Member) -> None:
    assert member.say("file:///x <<odd-markup>>") == "Request Err!"


# Ordered faults


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"name": "too_fast"}, 200, 10006),
        ({"name": "too_fast", "shape": "http"}, 429, 10006),
        ({"name": "token_dead"}, 401, 401),
        ({"name": "token_dead", "status": 403}, 403, 403),
        ({"name": "token_dead", "shape": "code"}, 200, 401),
        ({"name": "token_dead", "shape": "http500"}, 500, 500),
        ({"name": "cap"}, 200, 10009),
        ({"name": "outage"}, 503, 503),
        ({"name": "outage", "status": 502}, 502, 502),
        ({"name": "server_error"}, 500, 500),
    ],
)
def test_a_fault_strikes_the_next_call_and_no_other(
    simulator: Simulator, member: Member, fault: dict[str, Any], status: int, code: int
) -> None:
    simulator.fault(**fault)
    answer = member.get("chat/config")
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert code_of(member.get("chat/config")) == 0


@pytest.mark.parametrize(("name", "code"), [("too_fast", 10006), ("token_dead", 401), ("cap", 10009)])
def test_a_fault_can_be_the_first_event(simulator: Simulator, member: Member, name: str, code: int) -> None:
    session_id = member.create()["id"]
    simulator.fault(name, shape="event", call="completions")
    [event] = events(member.complete("x", session_id))
    assert event["code"] == code


def test_a_fault_waits_for_its_call_and_user(simulator: Simulator, member: Member) -> None:
    simulator.fault("server_error", call="session", user=USERNAME, times=2)
    simulator.fault("server_error", user="Other.Person24")
    statuses = [member.get(path).status_code for path in ("chat/config", *["chat/session"] * 3)]
    assert statuses == [200, 500, 500, 200]


def test_faults_without_times_last_until_taken_back(simulator: Simulator, member: Member) -> None:
    simulator.fault("outage", times=None)
    assert [member.get("chat/config").status_code for _ in range(3)] == [503] * 3
    simulator.http.delete(f"{simulator.portal}/_sim/faults")
    assert member.get("chat/config").status_code == 200


def test_a_malformed_answer_is_not_json(simulator: Simulator, member: Member) -> None:
    simulator.fault("malformed")
    with pytest.raises(ValueError, match="Expecting value"):
        member.get("chat/config").json()


def test_a_hanging_call_ends_only_when_the_client_leaves(simulator: Simulator, member: Member) -> None:
    simulator.fault("hang")
    with pytest.raises(httpx.ReadTimeout):
        member.http.get(f"{member.api_url}/chat/config", headers=member.headers, timeout=0.3)
    assert code_of(member.get("chat/config")) == 0


def test_a_disconnect_gives_no_answer(simulator: Simulator, member: Member) -> None:
    simulator.fault("disconnect")
    with pytest.raises(httpx.RemoteProtocolError):
        member.post("chat/saveSession", member.fields)
    assert simulator.user()["sessions"] == []


def test_a_disconnect_after_work_leaves_the_session_behind(simulator: Simulator, member: Member) -> None:
    simulator.fault("disconnect_after_work", call="saveSession")
    with pytest.raises(httpx.RemoteProtocolError):
        member.post("chat/saveSession", member.fields)
    assert [session["name"] for session in simulator.user()["sessions"]] == ["a test"]


def test_a_disconnect_after_an_accepted_prompt_keeps_it(simulator: Simulator, member: Member) -> None:
    simulator.fault("disconnect_after_work", call="completions")
    with pytest.raises(httpx.RemoteProtocolError):
        member.complete("hello")
    assert [kept["ended"] for kept in simulator.user()["completions"]] == ["disconnect"]


def test_a_completion_can_come_as_plain_json(simulator: Simulator, member: Member) -> None:
    simulator.fault("plain_json")
    answer = member.complete("[[sim text=hello]]").json()
    assert answer == {"code": 0, "type": "object", "data": {"aiText": "hello"}}


def test_an_error_can_come_in_mid_stream(simulator: Simulator, member: Member) -> None:
    simulator.fault("mid_stream_error", code=10077, after=2)
    found = events(member.complete("[[sim pieces=5]]"))
    assert [event["code"] for event in found] == [0, 0, 10077]
