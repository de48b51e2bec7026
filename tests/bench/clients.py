"""The two ways to an answer: through the gateway, and straight to the school. Both with the same HTTP library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from tests.bench.bed import Bed, User
from tests.school import MODEL

SESSION = {
    "name": "bare",
    "model": MODEL,
    "temperature": 1,
    "maxToken": 0,
    "presencePenalty": 0,
    "frequencyPenalty": 0,
    "contextCount": 0,
}
FIRST_PIECE = '"piece1 "'

Stream = Callable[[httpx.AsyncClient, Bed, User, str], AbstractAsyncContextManager[httpx.Response]]


@asynccontextmanager
async def http() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=1_000)
    async with httpx.AsyncClient(transport=AiohttpTransport(limits=limits), timeout=60, trust_env=False) as client:
        yield client


def chat_body(prompt: str) -> dict[str, Any]:
    return {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": prompt}]}


@asynccontextmanager
async def gateway_stream(client: httpx.AsyncClient, bed: Bed, user: User, prompt: str) -> AsyncIterator[httpx.Response]:
    """One chat through the gateway."""
    headers = gateway_headers(user)
    url = f"{bed.gateway}/v1/chat/completions"
    async with client.stream("POST", url, headers=headers, json=chat_body(prompt)) as response:
        response.raise_for_status()
        yield response


@asynccontextmanager
async def bare_stream(client: httpx.AsyncClient, bed: Bed, user: User, prompt: str) -> AsyncIterator[httpx.Response]:
    """The same chat without the gateway: a session, and the prompt one interval after it."""
    sent = time.monotonic()
    headers = school_headers(user)
    saved = await client.post(f"{user.token['api_url']}/chat/saveSession", headers=headers, json=SESSION)
    made = saved.raise_for_status().json()["data"]
    await asyncio.sleep(bed.interval - (time.monotonic() - sent))
    body = {"text": prompt, "files": [], "online": 0, "sessionId": made["id"], "responseId": None, "lang": "en"}
    url = f"{user.token['api_url']}/chat/completions"
    async with client.stream("POST", url, headers=headers, json=body) as response:
        response.raise_for_status()
        yield response


def gateway_headers(user: User) -> dict[str, str]:
    return {"authorization": f"Bearer {user.api_key}"}


def school_headers(user: User) -> dict[str, str]:
    cookies = "; ".join(f"{name}={value}" for name, value in user.token["cookies"].items())
    return {"jm-token": user.token["jm_token"], "sdp-app-session": user.token["sdp_app_session"], "cookie": cookies}
