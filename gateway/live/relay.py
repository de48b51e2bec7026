"""A live login between its worker and its member's pages: two groups of the channel layer, one for each side.

Either side may sit in another web process. What does not get through in time is dropped: the next picture is as good.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import msgspec

from accounts.models import Member
from gateway import database
from gateway.live import access
from gateway.live.sockets import MALFORMED, PageSocket, Socket
from tokens.live import asking as live
from tokens.live import wire as live_wire
from tokens.live.wire import DIAL_HEADER, Act, Here, Move, Said, Stop

HERE_SECONDS = 3.0
SEEN = "seen"
ACTS_A_SECOND = 80.0
MOST_ACTS_AT_ONCE = 160.0


def browser_group(attempt_id: UUID) -> str:
    return f"live.{attempt_id.hex}.browser"


def viewers_group(attempt_id: UUID) -> str:
    return f"live.{attempt_id.hex}.viewers"


class BrowserConsumer(Socket):
    """The worker's side: pictures and what stands beside them come in, acts go out. Opened by the attempt's secret,
    once; no browser is here.
    """

    _is_dialled = False

    async def connect(self) -> None:
        self.attempt_id: UUID = self.scope["url_route"]["kwargs"]["attempt_id"]
        secret = dict(self.scope["headers"]).get(DIAL_HEADER.encode(), b"").decode("latin1")
        if await database.run(live.live_dial, attempt_id=self.attempt_id, secret=secret):
            await self.channel_layer.group_add(browser_group(self.attempt_id), self.channel_name)
            await self.accept()
            self._is_dialled = True
            await self._tell_viewers({"type": "chrome.dialled"})
        else:
            await self.close()

    async def release(self) -> None:
        """The worker has ended the login, or has died: the pages keep no picture of a browser that is no more."""
        if self._is_dialled:
            self._is_dialled = False
            await database.run(live.live_gone, attempt_id=self.attempt_id)
            await self.channel_layer.group_discard(browser_group(self.attempt_id), self.channel_name)
            await self._say(Said(is_gone=True))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            if bytes_data is None:
                await self._say(_said(text_data))
            elif len(bytes_data) <= live_wire.MAX_PICTURE_BYTES:
                await self._tell_viewers({"type": "chrome.picture", "picture": bytes_data})
            else:
                await self.close(MALFORMED)
        except msgspec.DecodeError:
            await self.close(MALFORMED)

    async def _say(self, said: Said) -> None:
        said_now = live_wire.encode(said).decode()
        await self._tell_viewers({"type": "chrome.said", "said": said_now, "is_gone": said.is_gone})

    async def _tell_viewers(self, event: dict[str, str | bytes | bool]) -> None:
        await self.channel_layer.group_send(viewers_group(self.attempt_id), event)

    async def person_act(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["act"])


class ViewerConsumer(PageSocket):
    """The member's side. The page says `seen` for each picture: a slow one gets the newest next, not all of them."""

    _unseen = False
    _newest = b""
    _stop: Stop | None = None

    @property
    def attempt_id(self) -> UUID:
        attempt_id: UUID = self.scope["url_route"]["kwargs"]["attempt_id"]
        return attempt_id

    async def is_allowed(self, member: Member) -> bool:
        return await database.run(access.may_act, member, self.attempt_id)

    async def work(self) -> None:
        """Say again and again that somebody is here, for the worker and for the row."""
        self._bucket = Bucket()
        await self.channel_layer.group_add(viewers_group(self.attempt_id), self.channel_name)
        is_new = True
        while True:
            await database.run(live.live_keep, attempt_id=self.attempt_id)
            await self._tell_browser(Here(new=is_new))
            is_new = False
            await asyncio.sleep(HERE_SECONDS)

    async def release(self) -> None:
        await super().release()
        if self.channel_layer is not None:
            await self.channel_layer.group_discard(viewers_group(self.attempt_id), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == SEEN:
            self._unseen = False
            await self._show_newest()
            return
        try:
            act = _act(text_data)
        except msgspec.DecodeError:
            await self.close(MALFORMED)
            return
        if isinstance(act, Stop):
            self._stop = act
        if self._bucket.has_room(for_move=isinstance(act, Move)):
            await self._tell_browser(act)

    async def chrome_dialled(self, event: dict[str, str]) -> None:
        """Until now no worker was there to hear what this page has said."""
        await self._tell_browser(Here(new=True))
        if self._stop:
            await self._tell_browser(self._stop)

    async def chrome_said(self, event: dict[str, Any]) -> None:
        if event["is_gone"]:
            self._newest = b""
        await self.send(text_data=event["said"])

    async def chrome_picture(self, event: dict[str, bytes]) -> None:
        self._newest = event["picture"]
        await self._show_newest()

    async def _show_newest(self) -> None:
        if self._newest and not self._unseen:
            picture, self._newest, self._unseen = self._newest, b"", True
            await self.send(bytes_data=picture)

    async def _tell_browser(self, act: Act) -> None:
        event = {"type": "person.act", "act": live_wire.encode(act).decode()}
        await self.channel_layer.group_send(browser_group(self.attempt_id), event)


class Bucket:
    """How many acts a page may send: `ACTS_A_SECOND`, and some at once. Moves leave room for the clicks after them."""

    def __init__(self) -> None:
        self._room = MOST_ACTS_AT_ONCE
        self._at = time.monotonic()

    def has_room(self, *, for_move: bool) -> bool:
        now = time.monotonic()
        self._room = min(MOST_ACTS_AT_ONCE, self._room + (now - self._at) * ACTS_A_SECOND)
        self._at = now
        if self._room < (MOST_ACTS_AT_ONCE / 4 if for_move else 1):
            return False
        self._room -= 1
        return True


def _said(text: str | None) -> Said:
    """What a worker may say. Raises `msgspec.DecodeError`."""
    if text is None or len(text) > live_wire.MAX_SAID_BYTES:
        raise msgspec.DecodeError
    return live_wire.decode_said(text)


def _act(text: str | None) -> Act:
    """What a page may say. Raises `msgspec.DecodeError`."""
    if text is None or len(text) > live_wire.MAX_ACT_BYTES:
        raise msgspec.DecodeError
    act = live_wire.decode(text)
    if isinstance(act, Here):
        raise msgspec.DecodeError
    return act
