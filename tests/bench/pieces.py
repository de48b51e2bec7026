"""How many pieces of answers one web process passes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from tests.bench.bed import Bed, User
from tests.bench.clients import bare_stream, chat_body, gateway_headers, http
from tests.bench.raw import Connection
from tests.bench.table import Row, goal

GOAL = 5_000
MANY = 8

OneStream = Callable[[Bed, User, int], Awaitable[None]]


@dataclass(frozen=True)
class Load:
    """`streams` at once; the school sends `at_once` pieces in one write."""

    streams: int
    at_once: int

    def __str__(self) -> str:
        return f"pieces/s, {self.streams} stream{'s' * (self.streams > 1)}, {self.at_once} a write"


async def rates(bed: Bed, *, pieces: int, rounds: int) -> list[Row]:
    """Streams without any delay, as the school never sends them; and the web process's own work for a piece."""
    rows = []
    for load in (Load(1, 1), Load(1, 16), Load(MANY, 1), Load(MANY, 16)):
        rows += await _measured(bed, load, pieces=pieces, rounds=rounds)
    return rows


async def _measured(bed: Bed, load: Load, *, pieces: int, rounds: int) -> list[Row]:
    await asyncio.to_thread(bed.school.settings, pieces_per_write=load.at_once)
    gateway, bare, work = [], [], []
    for _ in range(rounds):
        before = sum(bed.web.cpu_times()[:2])
        gateway.append(await _rate(bed, load, pieces, through_gateway))
        work.append((sum(bed.web.cpu_times()[:2]) - before) / pieces * 1e6)
        bare.append(await _rate(bed, load, pieces, straight))
    met = goal(f"over {GOAL:,}", met=median(gateway) > GOAL)
    return [
        Row(str(load), "", median(gateway), median(bare), met),
        Row("   the web process's CPU time a piece", "µs", median(work)),
    ]


async def _rate(bed: Bed, load: Load, pieces: int, one: OneStream) -> float:
    """Pieces a second, all streams together."""
    started = time.perf_counter()
    users = bed.users[: load.streams]
    await asyncio.gather(*(one(bed, user, pieces // load.streams) for user in users))
    return pieces / (time.perf_counter() - started)


async def through_gateway(bed: Bed, user: User, pieces: int) -> None:
    connection = await Connection.to(bed.gateway)
    url = f"{bed.gateway}/v1/chat/completions"
    received = await connection.stream(url, gateway_headers(user), chat_body(_prompt(pieces)))
    connection.close()
    assert received.count(b'"delta":{"content":"piece') == pieces, "not all pieces came through"


async def straight(bed: Bed, user: User, pieces: int) -> None:
    count = 0
    async with http() as client, bare_stream(client, bed, user, _prompt(pieces)) as response:
        async for line in response.aiter_lines():
            count += '"data":"piece' in line
    assert count == pieces, "not all pieces came"


def _prompt(pieces: int) -> str:
    return f"Say much. [[sim pieces={pieces}]]"
