"""One round trip with the simulator, which is written from the protocol page alone, in each generation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.errors import SchoolServerError, SchoolTooFast, TokenDead
from gateway.school.client import SchoolClient, SchoolToken, make_http
from gateway.school.events import Piece, Summary
from tests.gateway.school.scripted import RecordingGate
from tests.simulator.clients import USERNAME, Simulator, read_ready_url, start

FIELDS = {"name": "n", "temperature": 0.5, "maxToken": 0, "presencePenalty": 0, "frequencyPenalty": 0}


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    with start("--interval", "0") as process:
        try:
            yield read_ready_url(process)
        finally:
            process.terminate()


@pytest.fixture
def simulator(portal: str) -> Iterator[Simulator]:
    with httpx.Client(trust_env=False, timeout=20) as http:
        simulator = Simulator(portal, http)
        simulator.post("reset")
        yield simulator


@pytest.fixture(params=["2025", "2026"])
async def client(request: pytest.FixtureRequest, simulator: Simulator) -> AsyncIterator[SchoolClient]:
    simulator.settings(wire=request.param, delete_grace_seconds=0)
    granted = simulator.post(f"users/{USERNAME}/token")
    token = SchoolToken(**granted, user_agent="Mozilla/5.0 (test)", origin=simulator.portal)
    async with make_http() as http:
        yield SchoolClient(http, token, gate=RecordingGate([]))


async def test_a_chat_from_the_model_to_the_deletion(client: SchoolClient) -> None:
    model = (await client.config())[0]
    session = await client.save_session({"model": model.id, **FIELDS})
    renamed = await client.save_session({**session.fields, "name": "renamed"})
    async with client.completions(session_id=renamed.id, text="Hello") as stream:
        events = [event async for batch in stream for event in batch]
    assert any(isinstance(event, Piece) for event in events)
    assert [(listed.id, listed.name) for listed in await client.list_sessions()] == [(session.id, "renamed")]
    await client.delete_sessions([session.id])
    assert await client.list_sessions() == []


async def test_a_picture_gets_a_url(client: SchoolClient) -> None:
    assert (await client.upload("a.png", b"\x89PNG\r\n\x1a\n", "image/png")).startswith("http")


@pytest.mark.parametrize("frames", ["lf", "crlf", "multiline", "comments"])
async def test_each_way_of_framing_gives_the_same_answer(
    client: SchoolClient, simulator: Simulator, frames: str
) -> None:
    session = await client.save_session({"model": "qwen3.6-27b", **FIELDS})
    simulator.settings(frames=frames)
    async with client.completions(session_id=session.id, text="Hello") as stream:
        events = [event async for batch in stream for event in batch]
    pieces = "".join(event.text for event in events if isinstance(event, Piece))
    (summary,) = (event for event in events if isinstance(event, Summary))
    assert pieces == summary.text != ""


@pytest.mark.parametrize("shape", ["http", "code", "html", "event", "http500"])
async def test_a_revoked_token_is_dead(client: SchoolClient, simulator: Simulator, shape: str) -> None:
    simulator.settings(token_dead_shape=shape)
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    with pytest.raises(SchoolServerError if shape == "http500" else TokenDead):
        async with client.completions(session_id=1, text="Hello"):
            pytest.fail("a refusal is raised on entering")


@pytest.mark.parametrize("shape", ["code", "http", "event"])
async def test_calls_that_are_too_close_are_refused(client: SchoolClient, simulator: Simulator, shape: str) -> None:
    simulator.settings(interval=60, too_fast_shape=shape)
    await client.config()
    with pytest.raises(SchoolTooFast):
        async with client.completions(session_id=1, text="Hello"):
            pytest.fail("a refusal is raised on entering")
