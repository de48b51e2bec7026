"""The base of our WebSockets: who may open one and for how long, and work of its own beside what comes in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import Member
from gateway import database
from gateway.live import access

log = structlog.get_logger(__name__)

MALFORMED, SIGNED_OUT, FAILED = 4400, 4401, 4500
"""Close codes of our own, like HTTP's: Daphne's library sends 1000 and 3000 to 4999 only. `SIGNED_OUT`: the session
that opened the socket has ended, or owes a second factor, so the page leads to the sign-in. `FAILED`: it tries again.
"""

ALLOWED_SECONDS = 3.0
MOST_SOCKETS = 20
"""Of one member, in one process: more than anybody has pages open, few enough to be served."""

_open: Counter[int] = Counter()


class Socket(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels is untyped
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.release()

    async def release(self) -> None:
        """Give up what it holds, however it ended. Channels' own `disconnect` is called only where nothing failed: not
        when the channel layer breaks.
        """
        raise NotImplementedError


class PageSocket(Socket):
    """A socket of one of our pages, of a member who is signed in. What it may show is its own `is_allowed` to say.

    A refused one is closed before it is accepted: the browser sees status 403. One whose session ends is closed with
    `SIGNED_OUT`, one that may no longer show what it shows with 1000, both within seconds.
    """

    _work: asyncio.Task[int | None] | None = None
    _watch: asyncio.Task[int | None] | None = None
    _closing: asyncio.Task[None] | None = None
    _counted: int | None = None

    async def connect(self) -> None:
        if await self._may_open():
            await self.accept()
            self._work = self._begin(self.work())
            self._watch = self._begin(self._watch_over())
        else:
            await self.close()

    async def _may_open(self) -> bool:
        member = self.scope["user"]
        if not (access.is_from_our_pages(self.scope) and member.is_authenticated):
            return False
        if not (await database.run(access.has_second_factor, self.scope) and await self.is_allowed(member)):
            return False
        if _open[member.pk] >= MOST_SOCKETS:
            log.warning("a member has too many pages' sockets open", member=member.pk)
            return False
        _open[member.pk] += 1
        self._counted = member.pk
        return True

    async def is_allowed(self, member: Member) -> bool:
        raise NotImplementedError

    async def work(self) -> None:
        """What the socket does until the page leaves. Its end closes the socket."""
        raise NotImplementedError

    async def _watch_over(self) -> int | None:
        """Ends with a close code when the socket may not go on: a session may end elsewhere, an account may be taken
        away.
        """
        while (member := await database.run(access.member_now, self.scope)) and await self.is_allowed(member):
            await asyncio.sleep(ALLOWED_SECONDS)
        return SIGNED_OUT if member is None else None

    async def release(self) -> None:
        if self._counted is not None:
            _open[self._counted] -= 1
            self._counted = None
        tasks = [task for task in (self._work, self._watch) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, work: Coroutine[Any, Any, int | None]) -> asyncio.Task[int | None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, work: asyncio.Task[int | None]) -> None:
        if work.cancelled() or self._closing is not None:
            return
        if error := work.exception():
            log.warning("a page's socket failed", socket=type(self).__name__, error=type(error).__name__)
        self._closing = asyncio.create_task(self.close(FAILED if error else work.result()))
