"""What an open stream costs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import psutil

from tests.bench.bed import Bed
from tests.bench.clients import FIRST_PIECE, Stream, bare_stream, gateway_stream, http
from tests.bench.table import Row

HOLD = "Hold on. [[sim pieces=2 hold]]"
WARM_UP = "Say something. [[sim pieces=3]]"


async def per_stream(bed: Bed, *, streams: int) -> Row:
    """Growth of the resident memory for each stream that waits for its second piece."""
    gateway = await _growth_kb(bed, bed.web, gateway_stream, streams)
    bare = await _growth_kb(bed, psutil.Process(), bare_stream, streams)
    return Row(f"memory of each of {streams} open streams", "KB", gateway, bare)


async def _growth_kb(bed: Bed, process: psutil.Process, stream: Stream, streams: int) -> float:
    async with http() as client:
        for user in bed.users:
            async with stream(client, bed, user, WARM_UP) as response:
                await response.aread()
        before = process.memory_info().rss
        async with _held(client, bed, stream, streams):
            return float(process.memory_info().rss - before) / 1024 / streams


@asynccontextmanager
async def _held(client: httpx.AsyncClient, bed: Bed, stream: Stream, streams: int) -> AsyncIterator[None]:
    """So many streams, each of which has had its first piece."""
    async with AsyncExitStack() as stack:
        opened = []
        for number in range(streams):
            user = bed.users[number % len(bed.users)]
            response = await stack.enter_async_context(stream(client, bed, user, HOLD))
            lines = response.aiter_lines()
            while FIRST_PIECE not in await anext(lines):
                pass
            opened.append(lines)
        yield
        await asyncio.to_thread(bed.school.release)
        for lines in opened:
            async for _ in lines:
                pass
