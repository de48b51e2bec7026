"""`GET /v1/models`, beside the school's own list: informative, no goal is set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from statistics import median

from tests.bench.bed import Bed, User
from tests.bench.clients import gateway_headers, school_headers
from tests.bench.raw import Connection
from tests.bench.table import Row


async def rates(bed: Bed, *, requests: int) -> list[Row]:
    ours, theirs = f"{bed.gateway}/v1/models", f"{bed.users[0].token['api_url']}/chat/config"
    latency, bare = await _latencies_ms(bed.users[0], ours, theirs, requests)
    started = time.perf_counter()
    await asyncio.gather(*(_many(ours, gateway_headers(user), requests // 4) for user in bed.users))
    rate = requests // 4 * len(bed.users) / (time.perf_counter() - started)
    return [
        Row("GET /v1/models: median", "ms", median(latency), median(bare)),
        Row(f"GET /v1/models/s, {len(bed.users)} at once", "", rate),
    ]


async def _latencies_ms(user: User, ours: str, theirs: str, requests: int) -> tuple[list[float], list[float]]:
    gateway, school = await Connection.to(ours), await Connection.to(theirs)
    # The first time, the gateway asks the school.
    await gateway.get(ours, gateway_headers(user))
    latency, bare = [], []
    for _ in range(requests):
        latency.append(await _ms(gateway, ours, gateway_headers(user)))
        bare.append(await _ms(school, theirs, school_headers(user)))
    gateway.close()
    school.close()
    return latency, bare


async def _ms(connection: Connection, url: str, headers: Mapping[str, str]) -> float:
    started = time.perf_counter()
    await connection.get(url, headers)
    return (time.perf_counter() - started) * 1000


async def _many(url: str, headers: Mapping[str, str], requests: int) -> None:
    connection = await Connection.to(url)
    for _ in range(requests):
        await connection.get(url, headers)
    connection.close()
