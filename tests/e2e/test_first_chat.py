"""From an account added on the command line to a streamed answer, in both generations of the school."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.stack import SCHOOL_SETTINGS, Person, Stack
from tests.school import MODEL


@dataclass
class Story:
    """What the member saw, and the state at the school when the browser had gone."""

    person: Person
    whole: str
    streamed: str
    models: list[str]


@pytest.fixture(scope="module", params=["2026", "2025"])
def story(_stack: Stack, request: pytest.FixtureRequest) -> Iterator[Story]:
    """A member is added with a password, and chats at once: the workers log the account in meanwhile."""
    _stack.school.settings(sign_on=request.param, wire=request.param)
    person = _stack.person()
    added = _stack.manage(
        *("add_member", person.name, "--xjtlu-username", person.username, "--xjtlu-password-file", "-"),
        *("--issue-key", "--json"),
        stdin=person.password,
    )
    person.api_key = json.loads(added.stdout)["api_key"]
    _stack.secrets.add(person.api_key)
    with person.client() as client:
        whole = person.ask('[[sim text="a whole answer"]]')
        pieces = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": '[[sim text="in many pieces"]]'}], stream=True
        )
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in pieces)
        models = [model.id for model in client.models.list()]
    yield Story(person, whole, streamed, models)
    person.sessions_are_gone()
    _stack.school.settings(**SCHOOL_SETTINGS)


def test_the_first_chat_waits_for_its_login_and_is_answered(story: Story) -> None:
    assert story.whole == "a whole answer"
    assert story.person.closed_usage()[0]["login_ms"] > 0


def test_an_answer_is_streamed(story: Story) -> None:
    assert story.streamed == "in many pieces"


def test_the_models_are_those_of_the_account(story: Story) -> None:
    assert MODEL in story.models
    assert len(story.models) == 21


def test_one_login_with_one_password_served_all(story: Story) -> None:
    assert [login["outcome"] for login in story.person.logins] == ["captured"]
    assert story.person.at_school["password_tries"] == 1


def test_each_chat_left_a_usage_record(story: Story) -> None:
    assert [(row["status"], row["stream"]) for row in story.person.closed_usage()] == [("done", False), ("done", True)]


def test_the_sessions_at_the_school_are_gone_a_little_later(story: Story) -> None:
    story.person.sessions_are_gone()


def test_page_chats_and_cleanup_together_kept_the_interval(story: Story) -> None:
    story.person.sessions_are_gone()
    assert {"config", "session", "saveSession", "completions", "delSession"} <= set(story.person.all_calls())
    assert story.person.at_school["too_fast"] == 0
