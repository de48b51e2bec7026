"""A scripted school of its own for each test, and a client that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from gateway.school.client import SchoolClient, make_http
from tests.gateway.school.scripted import TOKEN, RecordingGate, ScriptedSchool, serving


@pytest.fixture
async def school() -> AsyncIterator[ScriptedSchool]:
    scripted = ScriptedSchool()
    async with serving(scripted.serve) as address:
        scripted.url = f"http://{address}/jmapi/api"
        yield scripted


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with make_http() as client:
        yield client


@pytest.fixture
def gate(school: ScriptedSchool) -> RecordingGate:
    return RecordingGate(school.log)


@pytest.fixture
def client(http: httpx.AsyncClient, school: ScriptedSchool, gate: RecordingGate) -> SchoolClient:
    return SchoolClient(http, replace(TOKEN, api_url=school.url), gate=gate)
