"""A completion as it arrives: in batches, complete or not, and left at any moment."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import pytest

from gateway.errors import AnswerCut, AnswerEmpty, SchoolError, SchoolMalformed, SchoolNoAnswer, SchoolRefused
from gateway.school import stream as stream_module
from gateway.school.client import CompletionStream, Delta, SchoolClient
from gateway.school.events import Piece, Reasoning, Summary
from tests.gateway.school.scripted import Received, RecordingGate, ScriptedSchool

A = b'data: {"id":"1","type":"string","data":"a","code":0}\n\n'
B = b'data: {"id":"1","type":"string","data":"b","code":0}\n\n'
WHY = b'data: {"type":"string","reasoning_data":"why"}\n\n'
SUMMARY = b'data: {"type":"object","data":{"promptTokens":1,"completionTokens":2,"aiText":"ab"}}\n\n'
ERROR = b'data: {"code":10006,"msg":"Request too fast"}\n\n'
DONE = b"data: [DONE]\n\n"


def completion(client: SchoolClient) -> Any:
    return client.completions(session_id=1, text="x")


async def rest(stream: CompletionStream) -> list[Delta]:
    return [event async for batch in stream for event in batch]


async def whole(client: SchoolClient) -> list[Delta]:
    async with completion(client) as stream:
        return await rest(stream)


COMPLETE: list[tuple[list[bytes], list[Delta]]] = [
    ([A, B, DONE], [Piece("a"), Piece("b")]),
    ([A, B, SUMMARY, DONE], [Piece("a"), Piece("b"), Summary("ab", 1, 2)]),
    ([A, B, SUMMARY], [Piece("a"), Piece("b"), Summary("ab", 1, 2)]),
    ([WHY, A, DONE], [Reasoning("why"), Piece("a")]),
    ([A, b"data: [DONE]"], [Piece("a")]),
    ([A, SUMMARY.rstrip()], [Piece("a"), Summary("ab", 1, 2)]),
    ([b"data: [DO", b"NE]\r", b"\n\r\n"], []),
    ([SUMMARY], [Summary("ab", 1, 2)]),
    ([b": ping\n\n", b"\r\n", A, b": ping\n\n", DONE], [Piece("a")]),
    ([A, DONE, B], [Piece("a")]),
]


@pytest.mark.parametrize(("chunks", "events"), COMPLETE)
async def test_a_complete_answer_ends_in_order(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes], events: list[Delta]
) -> None:
    school.streams(*chunks)
    assert await whole(client) == events


@pytest.mark.parametrize("chunks", [[A], [A, WHY], [A, B[:20]], [A, b"data: [DON"], [A, SUMMARY[:-20]]])
@pytest.mark.parametrize("end", [True, False])
async def test_an_answer_without_its_end_is_cut(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes], end: bool
) -> None:
    school.streams(*chunks, end=end)
    async with completion(client) as stream:
        assert (await anext(stream))[0] == Piece("a")
        with pytest.raises(AnswerCut):
            await rest(stream)


@pytest.mark.parametrize("chunks", [[A, DONE], [A, SUMMARY], [A, b"data: [DONE]"], [A, SUMMARY, B[:9]]])
async def test_a_disconnect_after_the_end_takes_nothing_away(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes]
) -> None:
    school.streams(*chunks, end=False)
    assert (await whole(client))[0] == Piece("a")


@pytest.mark.parametrize("chunks", [[], [b"\n\n"], [b": ping\n\n"]])
async def test_a_stream_with_nothing_in_it_is_told_apart(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes]
) -> None:
    school.streams(*chunks)
    with pytest.raises(AnswerEmpty):
        await whole(client)


@pytest.mark.parametrize("chunks", [[A[:10]], [b"data: {}"]])
async def test_a_stream_cut_before_its_first_event_is_not_an_empty_one(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes]
) -> None:
    school.streams(*chunks)
    with pytest.raises(AnswerCut) as caught:
        await whole(client)
    assert not isinstance(caught.value, AnswerEmpty)


async def test_a_disconnect_before_the_first_event_is_unknown(client: SchoolClient, school: ScriptedSchool) -> None:
    school.streams(b": ping\n\n", end=False)
    with pytest.raises(SchoolNoAnswer) as caught:
        await whole(client)
    assert caught.value.permanent


async def test_an_error_in_mid_stream_comes_after_what_was_said_and_is_no_refusal(
    client: SchoolClient, school: ScriptedSchool
) -> None:
    school.streams(A + ERROR)
    async with completion(client) as stream:
        assert await anext(stream) == [Piece("a")]
        for _ in range(2):
            with pytest.raises(SchoolError) as caught:
                await anext(stream)
    assert not isinstance(caught.value, SchoolRefused)


async def test_an_error_in_mid_stream_is_permanent(client: SchoolClient, school: ScriptedSchool) -> None:
    school.streams(WHY, ERROR)
    with pytest.raises(SchoolError) as caught:
        await whole(client)
    assert caught.value.permanent


async def test_a_broken_frame_is_malformed_after_what_was_said(client: SchoolClient, school: ScriptedSchool) -> None:
    school.streams(A, b'data: {"type":\n\n')
    async with completion(client) as stream:
        assert Piece("a") in await anext(stream)
        with pytest.raises(SchoolMalformed):
            await anext(stream)


async def test_broken_chunking_does_not_wait_for_ever(
    client: SchoolClient, school: ScriptedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = asyncio.Event()

    async def breaks(request: Received) -> None:
        await request.stream(A, end=False)
        await seen.wait()
        await request.write(b"not a size\r\n")

    school.script = breaks
    monkeypatch.setattr("gateway.school.client.COMPLETION_READ_SECONDS", 2.0)
    async with completion(client) as stream:
        assert await anext(stream) == [Piece("a")]
        seen.set()
        with pytest.raises((AnswerCut, SchoolNoAnswer)):
            await anext(stream)


async def test_an_answer_in_one_json_object_is_the_summary(client: SchoolClient, school: ScriptedSchool) -> None:
    school.answers({"aiText": "all"}, type="object")
    assert await whole(client) == [Summary("all")]


@pytest.mark.parametrize("headers", ["", "content-encoding: gzip\r\n"])
async def test_each_read_is_given_out_at_once(client: SchoolClient, school: ScriptedSchool, headers: str) -> None:
    seen = asyncio.Event()
    pack = zlib.compressobj(wbits=31) if headers else None

    def packed(data: bytes) -> bytes:
        return pack.compress(data) + pack.flush(zlib.Z_SYNC_FLUSH) if pack else data

    async def waits_between(request: Received) -> None:
        await request.stream(packed(A + B), end=False, headers=headers)
        await seen.wait()
        await request.chunk(packed(DONE))
        await request.write(b"0\r\n\r\n")

    school.script = waits_between
    async with completion(client) as stream:
        assert await anext(stream) == [Piece("a"), Piece("b")]
        seen.set()
        assert await rest(stream) == []


async def test_the_gate_is_free_while_the_first_event_is_awaited(
    client: SchoolClient, school: ScriptedSchool, gate: RecordingGate
) -> None:
    async def thinks(request: Received) -> None:
        await request.stream(end=False)
        await gate.until_left()
        await request.chunk(DONE)

    school.script = thinks
    assert await whole(client) == []


@pytest.mark.parametrize("chunks", [[A], [A, B]])
async def test_leaving_in_mid_stream_closes_the_connection(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes]
) -> None:
    closed = asyncio.Event()

    async def waits_for_the_client_to_leave(request: Received) -> None:
        await request.stream(*chunks, end=False)
        await request.until_closed()
        closed.set()

    school.script = waits_for_the_client_to_leave
    async with completion(client) as stream:
        await anext(stream)
    await asyncio.wait_for(closed.wait(), 20)


@pytest.mark.parametrize("chunks", [[], [A]])
async def test_cancelling_closes_the_connection(
    client: SchoolClient, school: ScriptedSchool, chunks: list[bytes]
) -> None:
    streaming, closed = asyncio.Event(), asyncio.Event()

    async def waits_for_the_client_to_leave(request: Received) -> None:
        await request.stream(*chunks, end=False)
        streaming.set()
        await request.until_closed()
        closed.set()

    school.script = waits_for_the_client_to_leave
    reading = asyncio.create_task(whole(client))
    await streaming.wait()
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    await asyncio.wait_for(closed.wait(), 20)


async def test_a_complete_answer_leaves_its_connection_to_the_next_call(
    client: SchoolClient, school: ScriptedSchool
) -> None:
    school.streams(A, SUMMARY)
    await whole(client)
    await whole(client)
    assert school.received[0].writer is school.received[1].writer


async def test_done_is_not_awaited_for_ever_after_the_summary(
    client: SchoolClient, school: ScriptedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stays_open(request: Received) -> None:
        await request.stream(SUMMARY, end=False)
        await request.until_closed()

    school.script = stays_open
    monkeypatch.setattr(stream_module, "SUMMARY_GRACE_SECONDS", 0.05)
    assert await whole(client) == [Summary("ab", 1, 2)]


async def test_silence_in_mid_stream_times_out(
    client: SchoolClient, school: ScriptedSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def falls_silent(request: Received) -> None:
        await request.stream(A, end=False)
        await request.until_closed()

    school.script = falls_silent
    monkeypatch.setattr("gateway.school.client.COMPLETION_READ_SECONDS", 0.1)
    with pytest.raises(SchoolNoAnswer) as caught:
        await whole(client)
    assert caught.value.permanent
