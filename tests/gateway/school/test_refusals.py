"""Every way in which the school refuses, on every kind of call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import (
    SchoolError,
    SchoolMalformed,
    SchoolRefused,
    SchoolServerError,
    SchoolTooFast,
    TokenDead,
    TooManySessions,
)
from gateway.school.client import SchoolClient
from tests.gateway.school.scripted import ScriptedSchool

TOO_FAST = "Request too fast, please try again later!"
TOO_MANY = "You have created 50 sessions, please delete some of them first!"
SIGN_ON = b"\n<!DOCTYPE html><title>Sign on</title>"

BY_CODE: list[tuple[Any, str, type[SchoolRefused]]] = [
    (10006, "", SchoolTooFast),
    ("10006", TOO_FAST, SchoolTooFast),
    (500, TOO_FAST + " Or adjust the length of the context.", SchoolTooFast),
    (-1, TOO_FAST.upper(), SchoolTooFast),
    (10001, TOO_MANY, TooManySessions),
    ("E", TOO_MANY, TooManySessions),
    (401, "", TokenDead),
    ("401", "Unauthorized", TokenDead),
    (403, "", TokenDead),
    ("403", "", TokenDead),
]

BY_STATUS: list[tuple[int, bytes, str, type[SchoolError]]] = [
    (429, b"", "text/plain", SchoolTooFast),
    (429, b'{"code": 1, "msg": "slow down"}', "application/json", SchoolTooFast),
    (429, b"<html>", "text/html", SchoolTooFast),
    (500, b'{"code": 10006, "msg": ""}', "application/json", SchoolTooFast),
    (401, b"", "text/plain", TokenDead),
    (403, b"<html>", "text/html", TokenDead),
    (401, b'{"code": 1, "msg": "x"}', "application/json", TokenDead),
    (500, b'{"code": 401, "msg": "x"}', "application/json", TokenDead),
    (302, b"", "text/plain", TokenDead),
    (307, b"", "text/html", TokenDead),
    (200, SIGN_ON, "text/html; charset=utf-8", TokenDead),
    (200, SIGN_ON, "application/json", TokenDead),
    (200, "\ufeff".encode() + SIGN_ON, "application/octet-stream", TokenDead),
    (200, b"Please sign on", "text/html", TokenDead),
    (500, b"", "text/plain", SchoolServerError),
    (500, b'{"code": 500, "msg": "x"}', "application/json", SchoolServerError),
    (502, b"<html>Bad Gateway</html>", "text/html", SchoolServerError),
    (404, b"<html>", "text/html", SchoolServerError),
]


async def call(client: SchoolClient) -> None:
    await client.save_session({"name": "n"})


async def chat(client: SchoolClient) -> None:
    async with client.completions(session_id=1, text="the secret prompt"):
        pytest.fail("a refusal is raised on entering")


both = pytest.mark.parametrize("use", [call, chat])


@both
@pytest.mark.parametrize(("code", "message", "error"), BY_CODE)
async def test_a_refusal_by_code(
    client: SchoolClient, school: ScriptedSchool, use: Any, code: Any, message: str, error: type[SchoolRefused]
) -> None:
    school.answers(code=code, msg=message)
    with pytest.raises(error):
        await use(client)


@pytest.mark.parametrize(("code", "message", "error"), BY_CODE)
async def test_a_refusal_as_the_first_event(
    client: SchoolClient, school: ScriptedSchool, code: Any, message: str, error: type[SchoolRefused]
) -> None:
    frame = json.dumps({"code": code, "msg": message}).encode()
    empty = b'data: {"type":"string","data":"","code":0}\n\n'
    school.streams(b"\n\n", b": comment\n\n", empty, b"data: " + frame + b"\n\n")
    with pytest.raises(error):
        await chat(client)


@both
@pytest.mark.parametrize(("status", "body", "content_type", "error"), BY_STATUS)
async def test_a_refusal_by_status_or_page(
    client: SchoolClient,
    school: ScriptedSchool,
    use: Any,
    status: int,
    body: bytes,
    content_type: str,
    error: type[SchoolError],
) -> None:
    school.answers_raw(body, status, content_type=content_type, extra="location: /esc-sso/login/page\r\n")
    with pytest.raises(error):
        await use(client)
    assert len(school.received) == 1


async def test_a_server_error_tells_its_status(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers_raw(b"", 502)
    with pytest.raises(SchoolServerError) as caught:
        await client.config()
    assert caught.value.http_status == 502
    assert not isinstance(caught.value, SchoolRefused)


@both
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"data": {}}', b"\xff", b'{"code": 0, "data": {}}'])
async def test_what_is_no_answer_is_no_success(
    client: SchoolClient, school: ScriptedSchool, use: Any, body: bytes
) -> None:
    school.answers_raw(body)
    with pytest.raises(SchoolError) as caught:
        await use(client)
    assert not isinstance(caught.value, SchoolRefused)


async def test_a_json_answer_that_cannot_be_read_is_malformed(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers_raw(b'{"data": {}}')
    with pytest.raises(SchoolMalformed):
        await client.config()


async def test_json_that_calls_itself_html_is_json(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers_raw(b'{"code": 0, "data": []}', content_type="text/html")
    assert await client.list_sessions() == []


@both
async def test_another_code_is_an_error_that_is_not_safe_to_repeat(
    client: SchoolClient, school: ScriptedSchool, use: Any
) -> None:
    school.answers(code="10008", msg="model offline")
    with pytest.raises(SchoolError, match=r"code 10008") as caught:
        await use(client)
    assert type(caught.value) is SchoolError


ECHO = b'{"code": 10008, "msg": "cannot answer: the secret prompt"}'


@pytest.mark.parametrize("answer", [ECHO, b"data: " + ECHO + b"\n\n"])
async def test_a_prompt_that_the_school_echoes_is_never_shown(
    client: SchoolClient, school: ScriptedSchool, answer: bytes
) -> None:
    school.answers_raw(answer)
    with pytest.raises(SchoolError) as caught:
        await chat(client)
    assert caught.value.message == "The school reported an error (code 10008)."


async def test_only_what_is_safe_to_repeat_is_not_permanent_for_a_prompt(
    client: SchoolClient, school: ScriptedSchool
) -> None:
    for code, permanent in ((10006, False), (401, False), (10008, True)):
        school.answers(code=code)
        with pytest.raises(SchoolError) as caught:
            await chat(client)
        assert caught.value.permanent is permanent
