"""Exports: whole, in order, safe in a spreadsheet, never all in memory, and no burden on a server that stops."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from accounts.keys import key_issue
from accounts.models import ApiKey, Member
from gateway.models import UsageRecord
from gateway.usage import exports
from gateway.usage.exports import Format
from tests.conftest import database_url
from tests.processes import Process, running

pytestmark = pytest.mark.django_db(transaction=True)
numbers: Iterator[int] = count()
NEWEST = timezone.now()
MANY = 12_000
"""More rows than the buffers between server and client can hold."""


@pytest.fixture
def key() -> ApiKey:
    return key_issue(member=Member.objects.create_user("alice"), name="laptop")[0]


def rows(number: int, **fields: Any) -> None:
    """The newest first; each two have the same time."""
    fields = {"endpoint": "chat/completions", "status": "done", **fields}
    UsageRecord.objects.bulk_create(
        UsageRecord(request_id=f"req_{next(numbers)}", created_at=NEWEST - timedelta(seconds=each // 2), **fields)
        for each in range(number)
    )


def parts(form: Format) -> list[bytes]:
    async def collected(response: StreamingHttpResponse) -> list[bytes]:
        return [part async for part in response]

    return asyncio.run(collected(exports.export(UsageRecord.objects.all(), form)))


def text(form: Format) -> str:
    return b"".join(parts(form)).decode()


def table() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(Format.CSV))))


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(Format.JSONL).splitlines()]


def session_of(member: Member) -> str:
    client = Client()
    client.force_login(member)
    return str(client.cookies["sessionid"].value)


class TestRows:
    def test_both_forms_hold_the_same_columns(self, key: ApiKey) -> None:
        rows(1, member=key.member, api_key=key, model="qwen", total_ms=1200)
        (cells,), (record,) = table(), lines()
        assert list(cells) == list(record) == list(exports.SOURCES)
        assert (cells["key"], cells["model"], cells["total_ms"]) == ("laptop", "qwen", "1200")
        assert (record["key"], record["member"], record["total_ms"]) == ("laptop", "alice", 1200)

    def test_what_is_unknown_is_empty_and_never_zero(self) -> None:
        rows(1)
        (cells,), (record,) = table(), lines()
        assert (cells["prompt_tokens"], cells["member"]) == ("", "")
        assert (record["prompt_tokens"], record["member"]) == (None, None)

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
    def test_a_cell_is_no_formula(self, start: str) -> None:
        rows(1, user_agent=f"{start}cmd|' /C calc'!A0")
        assert (table())[0]["client"].startswith(f"'{start}")
        assert (lines())[0]["client"].startswith(start)

    def test_batches_join_without_a_gap_or_a_double(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "BATCH", 3)
        rows(11)
        got = [row["request_id"] for row in lines()]
        assert got == list(UsageRecord.objects.values_list("request_id", flat=True))

    def test_an_export_of_nothing_has_a_head(self) -> None:
        assert table() == []
        assert (text(Format.CSV)).startswith("time,request_id,")
        assert text(Format.JSONL) == ""

    def test_times_are_in_the_readers_zone(self) -> None:
        rows(1)
        with timezone.override("America/Lima"):
            (record,) = lines()
        assert record["time"].endswith("-05:00")


class TestStreams:
    def test_a_client_that_leaves_ends_the_work(self, key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exports, "BATCH", 1)
        rows(300, member=key.member)
        batches, batch = count(1), exports._batch
        monkeypatch.setattr(exports, "_batch", lambda *given: next(batches) and batch(*given))
        asyncio.run(leave_early("/dashboard/usage/export.csv", session_of(key.member)))
        assert 1 < next(batches) < 300

    def test_a_server_with_an_open_export_drains_and_exits_in_order(self, key: ApiKey, tmp_path: Path) -> None:
        rows(MANY, member=key.member, model="x" * 120, user_agent="x" * 200)
        with _serving(tmp_path, drain_seconds="120") as (process, http), _opened(http, key.member) as answer:
            parts = answer.iter_bytes()
            got = next(parts)
            process.popen.terminate()
            got += b"".join(parts)
            assert got.count(b"\r\n") == MANY + 1
            assert process.popen.wait(120) == 0

    def test_an_export_that_outlasts_the_drain_is_cut_and_seen_to_be(self, key: ApiKey, tmp_path: Path) -> None:
        rows(MANY, member=key.member, model="x" * 120, user_agent="x" * 200)
        with _serving(tmp_path, drain_seconds="0.2") as (process, http), _opened(http, key.member) as answer:
            parts = answer.iter_bytes()
            next(parts)
            process.popen.terminate()
            assert process.popen.wait(30) == 0
            with pytest.raises(httpx.RemoteProtocolError):
                list(parts)


async def leave_early(path: str, session: str) -> None:
    """Ask for an export, read its head and first row, and go; returns when its work has ended."""
    from gateway.asgi import application

    headers = [(b"host", b"localhost"), (b"cookie", f"sessionid={session}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    exchange: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await exchange.send_input({"type": "http.request", "body": b"", "more_body": False})
    assert (await exchange.receive_output(timeout=20))["status"] == 200
    for _piece in range(2):
        await exchange.receive_output(timeout=20)
    await exchange.send_input({"type": "http.disconnect"})
    await exchange.wait(timeout=20)


@contextmanager
def _serving(folder: Path, *, drain_seconds: str) -> Iterator[tuple[Process, httpx.Client]]:
    """A web process of the test's own, and a client of it."""
    env = {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "DATABASE_URL": database_url(),
        "GATEWAY_DRAIN_SECONDS": drain_seconds,
    }
    with running("manage.py", "serve", "--port", "0", log=folder / "web.log", env=env) as process:
        url = process.wait_for_line("gateway ready on ").split()[-1]
        little = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)]
        with httpx.Client(base_url=url, timeout=60, transport=httpx.HTTPTransport(socket_options=little)) as http:
            yield process, http


def _opened(http: httpx.Client, member: Member) -> Any:
    http.cookies.set("sessionid", session_of(member))
    return http.stream("GET", "/dashboard/usage/export.csv")
