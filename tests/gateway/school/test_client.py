"""Each call as the protocol page writes it, and nothing of one account on another's."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.errors import SchoolError, SchoolMalformed
from gateway.school.client import SchoolClient
from tests.gateway.school.scripted import TOKEN, Received, RecordingGate, ScriptedSchool, raw_answer

DONE = b"data: [DONE]\n\n"


async def complete(client: SchoolClient, **prompt: Any) -> None:
    async with client.completions(**{"session_id": 7, "text": "hello", **prompt}) as stream:
        async for _ in stream:
            pass


async def test_config_gives_the_models(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers({"models": [{"value": "m", "label": "M"}]})
    assert [model.label for model in await client.config()] == ["M"]
    (request,) = school.received
    assert (request.method, request.path, request.body) == ("GET", "/jmapi/api/chat/config", b"")
    assert request.query == {"sf_request_type": "ajax", "lang": "en"}


async def test_the_headers_are_the_tokens(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers([])
    await client.list_sessions()
    (request,) = school.received
    assert request.header("jm-token") == "the-jm-token"
    assert request.header("sdp-app-session") == "the-sdp-session"
    assert request.header("origin") == "https://portal.test"
    assert request.header("referer") == "https://portal.test/"
    assert [value for name, value in request.headers if name == "user-agent"] == ["Mozilla/5.0 (test)"]
    assert [value for name, value in request.headers if name == "cookie"] == ["SESSION=one; TGC=two"]


async def test_what_a_token_lacks_is_not_sent(
    http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    school.answers([])
    bare = replace(TOKEN, sdp_app_session="", cookies={}, api_url=school.url + "/")
    await SchoolClient(http, bare, gate=gate).list_sessions()
    (request,) = school.received
    assert request.path == "/jmapi/api/chat/session"
    assert request.header("sdp-app-session") is None
    assert request.header("cookie") is None


async def test_a_cookie_may_hold_any_character(
    http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    school.answers([])
    token = replace(TOKEN, cookies={"name": '"张=3;é"'}, api_url=school.url)
    await SchoolClient(http, token, gate=gate).list_sessions()
    assert school.received[0].header("cookie") == 'name="张=3;é"'


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_cookies_never_pass_from_one_account_to_another(
    http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate, host: str
) -> None:
    """By name too: aiohttp's own jar ignores what a bare address sets."""

    async def sets_a_cookie(request: Received) -> None:
        await request.write(raw_answer(b'{"code": 0, "data": []}', extra="set-cookie: SESSION=renewed; Path=/\r\n"))

    school.script = sets_a_cookie
    for cookies in ({"SESSION": "hers"}, {"SESSION": "his"}, {}):
        token = replace(TOKEN, cookies=cookies, api_url=school.url.replace("127.0.0.1", host))
        await SchoolClient(http, token, gate=gate).list_sessions()
    assert [request.header("cookie") for request in school.received] == ["SESSION=hers", "SESSION=his", None]


async def test_sessions_are_listed_with_their_fields(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers([{"id": 3, "name": "a", "temperature": 0.5}, {"id": "2", "name": None}, {"id": "x"}, {}, None])
    first, second = await client.list_sessions()
    assert (first.id, first.name, first.fields["temperature"]) == (3, "a", 0.5)
    assert (second.id, second.name) == (2, "")


async def test_no_sessions_may_be_null(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers(None)
    assert await client.list_sessions() == []


async def test_sessions_that_are_no_list_are_malformed(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers({"rows": []})
    with pytest.raises(SchoolMalformed):
        await client.list_sessions()


async def test_a_session_is_saved_with_its_fields_as_they_are(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers({"id": 12, "name": "mark"})
    fields = {"name": "mark", "model": "通义", "temperature": 0.7, "maxToken": 0}
    session = await client.save_session(fields)
    assert (session.id, session.name) == (12, "mark")
    (request,) = school.received
    assert (request.method, request.path, request.json) == ("POST", "/jmapi/api/chat/saveSession", fields)
    assert request.query == {"sf_request_type": "ajax"}
    assert request.header("content-type") == "application/json"


async def test_a_saved_session_without_id_is_malformed(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers({"name": "mark"})
    with pytest.raises(SchoolMalformed):
        await client.save_session({"name": "mark"})


async def test_sessions_are_deleted_in_one_call(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers()
    await client.delete_sessions((3, 4))
    (request,) = school.received
    assert (request.path, request.json) == ("/jmapi/api/chat/delSession", {"ids": [3, 4]})


async def test_deleting_nothing_calls_nobody(client: SchoolClient, school: ScriptedSchool) -> None:
    await client.delete_sessions([])
    assert school.log == []


@pytest.mark.parametrize("name", ["url", "file_url"])
async def test_a_picture_is_uploaded(client: SchoolClient, school: ScriptedSchool, name: str) -> None:
    school.answers({name: "https://files.test/1.png"})
    content = bytes(range(256)) * 1000
    assert await client.upload("猫.png", content, "image/png") == "https://files.test/1.png"
    (request,) = school.received
    assert (request.method, request.path) == ("POST", "/jmapi/api/common/upload")
    assert content in request.body
    for part in (b'name="accept"\r\n\r\nimage\r\n', b'name="lang"\r\n\r\nen\r\n', b"Content-Type: image/png\r\n"):
        assert part in request.body


@pytest.mark.parametrize("data", [None, {}, {"url": None}, "text"])
async def test_an_upload_without_url_is_malformed(client: SchoolClient, school: ScriptedSchool, data: Any) -> None:
    school.answers(data)
    with pytest.raises(SchoolMalformed):
        await client.upload("a.png", b"x", "image/png")


async def test_a_prompt_is_sent_as_the_page_sends_it(client: SchoolClient, school: ScriptedSchool) -> None:
    school.streams(DONE)
    await complete(client, text="你好", files=["u"], online=True, thinking="low")
    (request,) = school.received
    assert (request.method, request.path) == ("POST", "/jmapi/api/chat/completions")
    assert request.query == {"sf_request_type": "fetch"}
    assert request.json == {
        "text": "你好",
        "files": ["u"],
        "online": 1,
        "thinking": "low",
        "sessionId": 7,
        "responseId": None,
        "lang": "en",
    }
    assert request.header("accept") == "text/event-stream"
    assert request.header("accept-encoding") == "identity"
    assert request.header("content-type") == "application/json"


async def test_thinking_is_sent_only_when_asked_for(client: SchoolClient, school: ScriptedSchool) -> None:
    school.streams(DONE)
    await complete(client)
    assert "thinking" not in school.received[0].json
    assert school.received[0].json["online"] == 0


async def test_the_language_is_the_accounts(
    http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    school.answers([])
    await SchoolClient(http, replace(TOKEN, api_url=school.url), gate=gate, lang="zh").list_sessions()
    assert school.received[0].query["lang"] == "zh"


async def test_a_compressed_answer_is_read(client: SchoolClient, school: ScriptedSchool) -> None:
    body = gzip.compress(b'{"code": 0, "data": [{"id": 1, "name": "n"}]}')
    school.answers_raw(body, extra="content-encoding: gzip\r\n")
    assert [session.id for session in await client.list_sessions()] == [1]


async def test_an_answer_without_end_is_malformed(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers_raw(b'{"code": 0, "data": "' + b"x" * (8 * 1024 * 1024) + b'"}')
    with pytest.raises(SchoolMalformed):
        await client.list_sessions()


async def test_the_schools_words_are_quoted_without_secrets(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers(code=500, msg="bad\x1b[31m\nthe-jm-token two " + "x" * 500)
    with pytest.raises(SchoolError) as caught:
        await client.config()
    said = caught.value.message
    assert said.startswith("The school reported an error (code 500): bad [31m [...] [...] xxx")
    assert len(said) < 250
