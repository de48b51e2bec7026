"""What the consumers of one web process share: the HTTP client to the school and the spacer's queues."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from gateway import leases
from gateway.calls import Line
from gateway.school.client import make_http
from gateway.spacer import Spacer

_http: httpx.AsyncClient | None = None
_spacer = Spacer()


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """From the web process's start to its end, on its event loop."""
    global _http
    # What the start has made stays for good. A full collection that looks through it stops every stream for 70 ms.
    gc.collect()
    gc.freeze()
    heartbeat = asyncio.create_task(leases.renew_for_ever())
    try:
        async with make_http() as _http:
            yield
    finally:
        heartbeat.cancel()
        await asyncio.wait([heartbeat])
        _http = None


def member_line(account_id: UUID) -> Line:
    """The way to the school for one request of a member."""
    if _http is None:
        raise RuntimeError("The web process has not started: use gateway.server.")
    return Line(account_id, http=_http, slots=_spacer)
