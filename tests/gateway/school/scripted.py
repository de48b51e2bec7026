"""A scripted school: an HTTP/1.1 server that keeps what it received and answers raw bytes in chosen chunks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway.school.client import SchoolToken

HANG_SECONDS = 20.0
"""Ends a test that would otherwise wait for ever."""


@dataclass
class Received:
    """One request as it arrived, and the connection that it came on."""

    method: str
    path: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def stream(self, *chunks: bytes, end: bool = True, headers: str = "") -> None:
        """A chunked event stream; each chunk is one of HTTP's own. Without `end` it stays open."""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{headers}transfer-encoding: chunked\r\n\r\n"
        await self.write(head.encode())
        for chunk in chunks:
            await self.chunk(chunk)
        if end:
            await self.write(b"0\r\n\r\n")

    async def chunk(self, chunk: bytes) -> None:
        await self.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    async def until_closed(self) -> None:
        """Ends when the client has closed the connection."""
        async with asyncio.timeout(HANG_SECONDS):
            await self.reader.read()


Script = Callable[[Received], Awaitable[None]]


def raw_answer(body: bytes, status: int = 200, content_type: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


@dataclass
class ScriptedSchool:
    """Plays one script for each request. `log` is shared with the gate: it shows what happened in which order."""

    log: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""
    script: Script | None = None

    def answers(self, data: Any = None, **changes: Any) -> None:
        self.answers_raw(json.dumps({"code": 0, "msg": "ok", "data": data, **changes}).encode())

    def answers_raw(self, body: bytes, status: int = 200, **how: str) -> None:
        async def script(request: Received) -> None:
            await request.write(raw_answer(body, status, **how))

        self.script = script

    def streams(self, *chunks: bytes, end: bool = True) -> None:
        async def script(request: Received) -> None:
            await request.stream(*chunks, end=end)
            if not end:
                request.writer.close()

        self.script = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _receive(reader, writer):
                self.received.append(request)
                self.log.append("arrived")
                assert self.script
                await self.script(request)
        finally:
            writer.close()


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.strip().split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    length = dict(headers).get("content-length", "0")
    body = await reader.readexactly(int(length))
    return Received(method, url.path, dict(parse_qsl(url.query)), headers, body, reader, writer)


@dataclass
class RecordingGate:
    """Lets everyone through at once and writes down what it saw."""

    log: list[str]
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[RecordingGate]:
        self.log.append("slot")
        try:
            yield self
        finally:
            self.log.append("left")
            self.left.set()

    def sent(self) -> None:
        self.log.append("sent")

    async def until_left(self) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            await self.left.wait()


TOKEN = SchoolToken(
    jm_token="the-jm-token",
    sdp_app_session="the-sdp-session",
    cookies={"SESSION": "one", "TGC": "two"},
    api_url="http://127.0.0.1:9/jmapi/api",
    user_agent="Mozilla/5.0 (test)",
    origin="https://portal.test",
)


@asynccontextmanager
async def serving(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Serves on a free port; gives `host:port` and stops with all its connections."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
