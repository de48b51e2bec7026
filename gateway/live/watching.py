"""The WebSocket of an account's logins: their progress."""

from __future__ import annotations

import asyncio
from uuid import UUID

import orjson

from accounts.models import Member
from gateway import database
from gateway.live import access
from gateway.live.sockets import PageSocket
from gateway.login_progress import Progress, progress

RUNNING_SECONDS = 0.3
IDLE_SECONDS = 2.0


class ProgressConsumer(PageSocket):
    """Tells a page how an account's login goes: the whole picture as JSON, whenever it has changed."""

    @property
    def account_id(self) -> UUID:
        account_id: UUID = self.scope["url_route"]["kwargs"]["account_id"]
        return account_id

    async def is_allowed(self, member: Member) -> bool:
        return await database.run(access.may_watch, member, self.account_id)

    async def work(self) -> None:
        """The rows are the truth: a login may run in any process, and none of them has to tell anybody."""
        language = access.language_of(self.scope)
        told: Progress | None = None
        while (now := await database.run(progress, self.account_id, language)) is not None:
            if _without_clock(now) != _without_clock(told):
                await self.send(text_data=orjson.dumps(now).decode())
                told = now
            await asyncio.sleep(RUNNING_SECONDS if now["running"] else IDLE_SECONDS)


def _without_clock(shown: Progress | None) -> Progress | None:
    """What is left of a live login's time changes at each look; the page counts by itself."""
    if shown is None or shown["login"] is None:
        return shown
    return {**shown, "login": {**shown["login"], "seconds_left": None}}
