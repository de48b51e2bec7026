"""HTTP read as bytes, at next to no cost: the client that measures must not be the slowest of the three."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

END_OF_CHUNKS = b"\r\n0\r\n\r\n"
READ_BYTES = 256 * 1024


class Connection:
    """One kept connection to a server. `url`s of its calls are absolute."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    @classmethod
    async def to(cls, url: str) -> Connection:
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port), parts.netloc)

    async def stream(self, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> bytes:
        """A whole chunked answer to a POST, head and framing included."""
        self._send("POST", url, headers, json.dumps(body).encode())
        received = b""
        parts = []
        while not received.endswith(END_OF_CHUNKS):
            part = await self._reader.read(READ_BYTES)
            assert part, "the stream was cut"
            parts.append(part)
            received = received[-len(END_OF_CHUNKS) :] + part
        return b"".join(parts)

    async def get(self, url: str, headers: Mapping[str, str]) -> bytes:
        """The body of an answer that tells its length."""
        self._send("GET", url, headers, b"")
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        return await self._reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))

    def close(self) -> None:
        self._writer.close()

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        sent = {"host": self._host, "content-type": "application/json", "content-length": str(len(body)), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._writer.write(f"{method} {urlsplit(url).path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
