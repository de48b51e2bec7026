"""Run every measurement and print the table. It judges nothing: goals are marked, the exit status is 0."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench import first_token, memory, models, pieces
from tests.bench.bed import Bed, bed
from tests.bench.table import Row, table


async def _without_interval(bed: Bed, *, quick: bool) -> list[Row]:
    """Memory comes first, while the web process is fresh."""
    return [
        await memory.per_stream(bed, streams=40 if quick else 200),
        *await first_token.added(bed, chats=20 if quick else 120),
        *await pieces.rates(bed, pieces=2_000 if quick else 16_000, rounds=2 if quick else 5),
        *await models.rates(bed, requests=50 if quick else 300),
    ]


async def _with_interval(bed: Bed, *, quick: bool) -> list[Row]:
    return [await first_token.over_interval(bed, chats=2 if quick else 8)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it runs, not how fast")
    quick = parser.parse_args().quick
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        with bed(Path(folder), interval=0.0) as fast:
            rows = asyncio.run(_without_interval(fast, quick=quick))
        with bed(Path(folder), interval=1.0) as spaced:
            rows += asyncio.run(_with_interval(spaced, quick=quick))
    print(table(rows))
    print(f"\n{time.monotonic() - started:.0f} s. Other work on this machine shows in both columns; trust the ratios.")


if __name__ == "__main__":
    main()
