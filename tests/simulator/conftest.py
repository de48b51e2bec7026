"""A simulator of its own for each test process, reset before every test."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.simulator.clients import Member, Simulator, member_of, read_ready_url, start


@pytest.fixture(scope="session")
def portal() -> Iterator[str]:
    """The portal's origin of a simulator without a frequency limit."""
    process = start("--interval", "0")
    try:
        yield read_ready_url(process)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=90) as http:
        yield http


@pytest.fixture
def simulator(portal: str, http: httpx.Client) -> Simulator:
    simulator = Simulator(portal, http)
    simulator.post("reset")
    return simulator


@pytest.fixture
def member(simulator: Simulator) -> Member:
    return member_of(simulator)
