"""The base of the API's consumers, where the server shuts down or something unexpected happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.api.streaming import Consumer, Exchange
from gateway.usage.recording import SHUTTING_DOWN

SCOPE: dict[str, Any] = {"method": "GET", "path": "/v1/x", "headers": [(b"host", b"localhost")]}


class Waiting(Consumer):
    """Answers never. `has_cost`: as if the school had taken a prompt."""

    has_cost = False

    def __init__(self) -> None:
        super().__init__()
        self.is_running = asyncio.Event()

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        exchange.may_have_cost = lambda: self.has_cost
        self.is_running.set()
        await asyncio.Event().wait()


class Failing(Waiting):
    async def respond(self, exchange: Exchange, body: bytes) -> None:
        exchange.may_have_cost = lambda: self.has_cost
        raise RuntimeError("my prompt")


class Client:
    """One request without a body, by a client that stays."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self._asked = False

    async def receive(self) -> Mapping[str, Any]:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": b""}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


async def shut_down(consumer: Waiting) -> Client:
    client = Client()
    task = asyncio.create_task(consumer(SCOPE, client.receive, client.send))
    await consumer.is_running.wait()
    task.cancel(SHUTTING_DOWN)
    await asyncio.wait([task])
    return client


async def test_a_shutdown_before_the_prompt_left_may_be_tried_again() -> None:
    client = await shut_down(Waiting())
    assert client.status == 503
    assert b"retry-after" in client.headers
    assert b"x-should-retry" not in client.headers


async def test_a_shutdown_after_the_school_took_the_prompt_is_not_to_be_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Waiting, "has_cost", True)
    client = await shut_down(Waiting())
    assert (client.status, client.headers[b"x-should-retry"]) == (502, b"false")


@pytest.mark.parametrize("has_cost", [False, True])
async def test_an_unexpected_error_is_500_in_json_without_its_words(
    monkeypatch: pytest.MonkeyPatch, has_cost: bool
) -> None:
    monkeypatch.setattr(Waiting, "has_cost", has_cost)
    client = Client()
    await Failing()(SCOPE, client.receive, client.send)
    assert client.status == 500
    assert b"my prompt" not in client.sent[1]["body"]
    assert (client.headers.get(b"x-should-retry") == b"false") is has_cost
