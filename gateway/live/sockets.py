"""The base of our WebSockets: who may open one, and work of its own beside what comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import Member
from gateway import database
from gateway.live import access

log = structlog.get_logger(__name__)

INTERNAL_ERROR = 1011
"""WebSocket close code of RFC 6455 for a server that failed: the page tries again."""


class PageSocket(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels is untyped
    """A socket of one of our pages, of a member who is signed in. What it may show is its own `is_allowed` to say.

    A refused one is closed before it is accepted: the browser sees status 403.
    """

    _work: asyncio.Task[None] | None = None
    _closing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if await self._may_open():
            await self.accept()
            self._begin(self.work())
        else:
            await self.close()

    async def _may_open(self) -> bool:
        member = self.scope["user"]
        if not (access.is_from_our_pages(self.scope) and member.is_authenticated):
            return False
        return await database.run(access.has_second_factor, self.scope) and await self.is_allowed(member)

    async def is_allowed(self, member: Member) -> bool:
        raise NotImplementedError

    async def work(self) -> None:
        """What the socket does until the page leaves. Its end closes the socket."""
        raise NotImplementedError

    async def disconnect(self, code: int) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.create_task(work)
        self._work.add_done_callback(self._on_end)

    def _on_end(self, work: asyncio.Task[None]) -> None:
        if work.cancelled():
            return
        if error := work.exception():
            log.warning("a page's socket failed", socket=type(self).__name__, error=type(error).__name__)
        self._closing = asyncio.create_task(self.close(INTERNAL_ERROR if error else None))
