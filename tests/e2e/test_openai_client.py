"""What a program sees that uses the official client with its defaults: two retries, and errors as classes."""

from __future__ import annotations

import openai
import pytest

from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack
from tests.school import MODEL


def ask(person: Person, prompt: str, *, model: str = MODEL) -> str:
    """As `Person.ask`, with the client's own retries."""
    with person.client() as client:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content or ""


def test_a_bad_key_is_an_authentication_error(member: Person) -> None:
    member.api_key = "xg-0123456789-0123"
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(member, "hello")
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_an_unknown_model_is_not_found(member: Person) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(member, "hello", model="no-such-model")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_model_is_not_found_before_the_list_of_models_has_come(stack: Stack, member: Person) -> None:
    stack.desk(rows.forget_models, member.name)
    with pytest.raises(openai.NotFoundError) as caught:
        ask(member, "hello", model="no-such-model")
    assert caught.value.code == "model_not_found"


def test_a_wrong_parameter_is_a_bad_request_that_names_it(member: Person) -> None:
    with pytest.raises(openai.BadRequestError) as caught, member.client() as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}], n=2)
    assert caught.value.param == "n"


def test_a_paused_account_is_a_permission_error(stack: Stack, member: Person) -> None:
    stack.desk(rows.pause, member.name)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(member, "hello")
    assert caught.value.code == "account_paused"


def test_what_the_filter_refuses_is_sent_once(member: Person, school: BusySchool) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(member, "forbidden-word")
    assert caught.value.code == "content_filter"
    assert len(school.prompts(member.username)) == 1


def test_a_cut_answer_is_an_error_and_its_prompt_is_sent_once(member: Person, school: BusySchool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        ask(member, '[[sim text="a b c" cut_after=1]]')
    assert caught.value.code == "answer_cut"
    assert len(school.prompts(member.username)) == 1


def test_fifty_sessions_of_the_members_own_are_a_rate_limit_that_is_not_retried(
    member: Person, school: BusySchool
) -> None:
    school.add_sessions(50, user=member.username)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(member, "hello")
    assert caught.value.code == "too_many_sessions"
    assert member.all_calls().count("saveSession") == 1


def test_a_call_that_the_school_found_too_fast_is_answered_all_the_same(member: Person, school: BusySchool) -> None:
    school.fault("too_fast", call="completions", user=member.username)
    assert ask(member, "[[sim text=fine]]") == "fine"


def test_an_outage_before_the_prompt_is_retried_by_the_client(member: Person, school: BusySchool) -> None:
    school.fault("outage", status=502, user=member.username, times=2)
    assert ask(member, "[[sim text=fine]]") == "fine"
    assert [row["status"] for row in member.closed_usage()] == ["failed", "done"]
    assert member.usage[1]["retry_count"] == 1


def test_a_failure_in_mid_stream_is_raised_behind_its_pieces(member: Person) -> None:
    pieces: list[str] = []
    with member.client() as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": '[[sim text="one two three" error_after=2]]'}],
            stream=True,
        )
        with pytest.raises(openai.APIError) as caught:
            pieces.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(pieces) == "one two "
    assert caught.value.code == "school_error"
    assert not isinstance(caught.value, openai.APIStatusError)


def test_a_client_that_gives_up_gets_its_own_timeout(member: Person) -> None:
    with pytest.raises(openai.APITimeoutError):
        member.ask("[[sim text=late hold]]", timeout=1)


def test_answers_carry_the_request_id_of_the_usage_record(member: Person) -> None:
    with member.client() as client:
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
    assert answer._request_id == member.usage[0]["request_id"]


def test_raw_responses_show_the_headers(member: Person) -> None:
    with member.client() as client:
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], seed=7
        )
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-gateway-ignored-parameters"] == "seed"
    assert raw.parse().choices[0].finish_reason == "stop"


def test_usage_comes_where_a_stream_asks_for_it(member: Person) -> None:
    with member.client() as client:
        chunks = list(
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": '[[sim text="one two"]]'}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 2


async def test_the_asynchronous_client_streams(member: Person) -> None:
    async with member.async_client() as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": '[[sim text="one two"]]'}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "one two"


def test_one_model_is_looked_up(member: Person) -> None:
    with member.client() as client:
        assert client.models.retrieve(MODEL).owned_by == "xjtlu"
