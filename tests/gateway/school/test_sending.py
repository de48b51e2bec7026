"""The slot around each request: when it is taken, when the request really left, and what failed before and after."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import httpx
import pytest

from gateway.errors import GatewayError, QueueFull, SchoolError, SchoolMalformed, SchoolNoAnswer, SchoolUnreachable
from gateway.school import transport
from gateway.school.client import SchoolClient, Slot, make_http
from tests.gateway.school.scripted import TOKEN, Received, RecordingGate, ScriptedSchool, raw_answer, serving

DONE = b"data: [DONE]\n\n"


async def chat(client: SchoolClient) -> None:
    async with client.completions(session_id=1, text="x") as stream:
        async for _ in stream:
            pass


CALLS: list[Callable[[SchoolClient], Awaitable[Any]]] = [
    SchoolClient.config,
    SchoolClient.list_sessions,
    lambda client: client.save_session({"name": "n"}),
    lambda client: client.delete_sessions([1]),
    lambda client: client.upload("a.png", b"x" * 300_000, "image/png"),
    chat,
]


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_takes_one_slot_and_leaves_it_before_the_answer(
    client: SchoolClient, school: ScriptedSchool, gate: RecordingGate, call: Any
) -> None:
    async def answer_once_the_gate_is_left(request: Received) -> None:
        await gate.until_left()
        school.log.append("answered")
        if request.path.endswith("completions"):
            await request.stream(DONE)
        else:
            data = b"[]" if request.path.endswith("session") else b'{"models": [], "id": 1, "url": "u"}'
            await request.write(raw_answer(b'{"code": 0, "data": ' + data + b"}"))

    school.script = answer_once_the_gate_is_left
    await call(client)
    assert sorted(school.log) == sorted(["slot", "sent", "left", "arrived", "answered"])
    assert [entry for entry in school.log if entry != "arrived"] == ["slot", "sent", "left", "answered"]


async def test_the_time_to_connect_does_not_count_as_sent(http: httpx.AsyncClient) -> None:
    gate = RecordingGate([])
    knocked = asyncio.Event()

    async def no_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        knocked.set()
        await asyncio.Event().wait()

    async with serving(no_handshake) as address:
        client = SchoolClient(http, replace(TOKEN, api_url=f"https://{address}/api"), gate=gate)
        call = asyncio.create_task(client.config())
        await knocked.wait()
        assert gate.log == ["slot"]
        call.cancel()
        await asyncio.wait({call})
    assert gate.log == ["slot", "left"]


async def test_a_large_request_is_sent_only_when_all_of_it_is_written(
    http: httpx.AsyncClient, gate: RecordingGate
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await go_on.wait()
        (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length))
        writer.write(raw_answer(b'{"code": 0, "data": {"url": "u"}}'))
        await asyncio.Event().wait()

    async with serving(slow_reader) as address:
        client = SchoolClient(http, replace(TOKEN, api_url=f"http://{address}/api"), gate=gate)
        call = asyncio.create_task(client.upload("a.png", b"x" * 20_000_000, "image/png"))
        await begun.wait()
        assert gate.log == ["slot"]
        go_on.set()
        await call
    assert gate.log == ["slot", "sent", "left"]


async def test_a_call_that_is_given_up_half_written_counts_as_sent(
    http: httpx.AsyncClient, gate: RecordingGate
) -> None:
    begun = asyncio.Event()

    async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        begun.set()
        await asyncio.Event().wait()

    async with serving(never_reads) as address:
        client = SchoolClient(http, replace(TOKEN, api_url=f"http://{address}/api"), gate=gate)
        call = asyncio.create_task(client.upload("a.png", b"x" * 20_000_000, "image/png"))
        await begun.wait()
        call.cancel()
        await asyncio.wait({call})
    assert gate.log == ["slot", "sent", "left"]


async def test_a_request_that_cannot_be_written_times_out(
    http: httpx.AsyncClient, gate: RecordingGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(transport, "POOL_SECONDS", 1.0)
    monkeypatch.setattr(transport, "WRITE_SECONDS", 1.0)
    async with serving(never_reads) as address:
        client = SchoolClient(http, replace(TOKEN, api_url=f"http://{address}/api"), gate=gate)
        with pytest.raises(SchoolNoAnswer):
            await client.upload("a.png", b"x" * 20_000_000, "image/png")
    assert gate.log == ["slot", "sent", "left"]


async def test_a_school_that_is_away_is_unreachable_and_nothing_was_sent(
    client: SchoolClient, http: httpx.AsyncClient, gate: RecordingGate
) -> None:
    async with serving(lambda reader, writer: asyncio.sleep(0)) as address:
        pass
    client = SchoolClient(http, replace(TOKEN, api_url=f"http://{address}/api"), gate=gate)
    with pytest.raises(SchoolUnreachable):
        await chat(client)
    assert gate.log == ["slot", "left"]


@pytest.mark.parametrize("call", CALLS)
async def test_a_disconnect_after_sending_is_unknown_and_nothing_is_sent_again(
    client: SchoolClient, school: ScriptedSchool, gate: RecordingGate, call: Any
) -> None:
    async def hangs_up(request: Received) -> None:
        request.writer.transport.abort()

    school.script = hangs_up
    with pytest.raises(SchoolNoAnswer):
        await call(client)
    assert len(school.received) == 1
    assert gate.log.count("slot") == gate.log.count("sent") == 1


async def test_a_kept_connection_that_drops_does_not_send_a_call_twice(
    client: SchoolClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    async def answers_the_first_only(request: Received) -> None:
        if len(school.received) == 1:
            await request.write(raw_answer(b'{"code": 0, "data": []}'))
        else:
            request.writer.transport.abort()

    school.script = answers_the_first_only
    await client.list_sessions()
    with pytest.raises(SchoolNoAnswer):
        await client.list_sessions()
    assert len(school.received) == gate.log.count("sent") == 2
    assert school.received[0].writer is school.received[1].writer


async def test_a_connection_is_kept_for_the_next_call(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers([])
    await client.list_sessions()
    await client.list_sessions()
    assert school.received[0].writer is school.received[1].writer


async def test_silence_after_sending_times_out(
    client: SchoolClient, school: ScriptedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_silent(request: Received) -> None:
        await request.until_closed()

    school.script = is_silent
    monkeypatch.setattr("gateway.school.client.READ_SECONDS", 0.1)
    with pytest.raises(SchoolNoAnswer):
        await client.config()


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"])
async def test_what_is_not_http_is_malformed(client: SchoolClient, school: ScriptedSchool, answer: bytes) -> None:
    async def speaks_otherwise(request: Received) -> None:
        await request.write(answer)

    school.script = speaks_otherwise
    with pytest.raises(SchoolMalformed):
        await client.config()


async def test_an_answer_with_broken_compression_is_malformed(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers_raw(b"not gzip", extra="content-encoding: gzip\r\n")
    with pytest.raises(SchoolMalformed):
        await client.config()


async def test_a_body_that_is_cut_is_unknown(client: SchoolClient, school: ScriptedSchool) -> None:
    async def cuts(request: Received) -> None:
        await request.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        request.writer.close()

    school.script = cuts
    with pytest.raises(SchoolNoAnswer):
        await client.config()


async def test_a_body_with_broken_framing_does_not_wait_for_ever(
    client: SchoolClient, school: ScriptedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(request: Received) -> None:
        await request.stream(b"{", end=False)
        await request.write(b"not a size\r\n")

    school.script = breaks
    monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.5)
    with pytest.raises(SchoolError):
        await client.config()


async def test_what_the_gate_says_reaches_the_caller_and_nothing_is_sent(
    http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    @asynccontextmanager
    async def full() -> AsyncIterator[Slot]:
        if school.url:
            raise QueueFull("Too many calls wait.")
        yield gate

    client = SchoolClient(http, replace(TOKEN, api_url=school.url), gate=full)
    with pytest.raises(QueueFull):
        await client.config()
    assert school.received == []


async def test_the_environments_proxy_is_not_used(
    school: ScriptedSchool, gate: RecordingGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    school.answers([])
    async with make_http() as http:
        assert await SchoolClient(http, replace(TOKEN, api_url=school.url), gate=gate).list_sessions() == []


def below(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in below(child))]


FOREIGN = [
    *below(httpx.HTTPError),
    *below(httpx.StreamError),
    httpx.InvalidURL,
    httpx.CookieConflict,
    *below(aiohttp.ClientError),
    TimeoutError,
    ConnectionResetError,
    OSError,
]


class FailingBody(httpx.AsyncByteStream):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b" "
        raise self._error


def failing(error: Exception, *, within_body: bool) -> SchoolClient:
    def handle(request: httpx.Request) -> httpx.Response:
        if within_body:
            return httpx.Response(200, stream=FailingBody(error))
        raise error

    return SchoolClient(httpx.AsyncClient(transport=httpx.MockTransport(handle)), TOKEN, gate=RecordingGate([]))


@pytest.mark.parametrize("within_body", [False, True])
@pytest.mark.parametrize("call", [SchoolClient.config, chat])
@pytest.mark.parametrize("kind", sorted(set(FOREIGN), key=repr))
async def test_no_foreign_error_escapes(kind: type[Exception], call: Any, within_body: bool) -> None:
    with pytest.raises(SchoolError) as caught:
        await call(failing(kind.__new__(kind), within_body=within_body))
    assert isinstance(caught.value, GatewayError)
    assert caught.value.permanent is (call is chat and not isinstance(caught.value, SchoolUnreachable))


def test_every_error_of_httpx_is_known() -> None:
    errors = {kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert errors <= set(FOREIGN)


@pytest.mark.parametrize("kind", [httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError])
async def test_what_may_have_been_sent_is_never_called_unreachable(kind: type[httpx.TransportError]) -> None:
    with pytest.raises(SchoolError) as caught:
        await chat(failing(kind(""), within_body=False))
    assert not isinstance(caught.value, SchoolUnreachable)
