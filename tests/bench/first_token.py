"""How long a member waits for the first piece of an answer."""

from __future__ import annotations

import time
from itertools import cycle, islice
from statistics import median, quantiles

import httpx

from tests.bench.bed import Bed, User
from tests.bench.clients import FIRST_PIECE, Stream, bare_stream, gateway_stream, http
from tests.bench.table import Row, goal

PROMPT = "Say something. [[sim pieces=3]]"
GOAL_MS = 10.0
GOAL_OVER_INTERVAL_MS = 30.0


async def added(bed: Bed, *, chats: int) -> list[Row]:
    """Sequential chats without an interval, in turns."""
    gateway, bare = await _in_turns(bed, chats)
    difference = median(gateway) - median(bare)
    met = goal(f"{difference:.1f} ms added, under {GOAL_MS:.0f}", met=difference < GOAL_MS)
    return [
        Row("first token, no interval: median", "ms", median(gateway), median(bare), met),
        Row("first token, no interval: p95", "ms", _p95(gateway), _p95(bare)),
    ]


async def over_interval(bed: Bed, *, chats: int) -> Row:
    """Chats of accounts that were idle: the session's call, one interval, the prompt's call."""
    gateway, bare = await _in_turns(bed, chats)
    over = median(gateway) - bed.interval * 1000
    met = goal(f"{over:.1f} ms over the interval, under {GOAL_OVER_INTERVAL_MS:.0f}", met=over < GOAL_OVER_INTERVAL_MS)
    return Row(f"first token, interval {bed.interval:g} s: median", "ms", median(gateway), median(bare), met)


async def _in_turns(bed: Bed, chats: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first piece. The sides share no account, and each account rests after its chat."""
    half = len(bed.users) // 2
    pairs = list(zip(bed.users[:half], bed.users[half:], strict=True))
    gateway, bare = [], []
    async with http() as client:
        await _first_piece_ms(client, bed, pairs[-1][0], gateway_stream)
        await _first_piece_ms(client, bed, pairs[-1][1], bare_stream)
        for one, other in islice(cycle(pairs), chats):
            gateway.append(await _first_piece_ms(client, bed, one, gateway_stream))
            bare.append(await _first_piece_ms(client, bed, other, bare_stream))
    return gateway, bare


async def _first_piece_ms(client: httpx.AsyncClient, bed: Bed, user: User, stream: Stream) -> float:
    started = time.perf_counter()
    first = None
    async with stream(client, bed, user, PROMPT) as response:
        async for line in response.aiter_lines():
            if first is None and FIRST_PIECE in line:
                first = time.perf_counter()
    assert first is not None, "an answer came without its first piece"
    return (first - started) * 1000


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]
