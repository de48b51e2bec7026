"""One account's calls to the school, made properly: in a slot, with a live token, a refused call repeated.

A call that the school refused (too fast, dead token) was not accepted, so the very same call is made again: after
the interval has grown, or with the token of a new login. Anything else goes to the caller.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import httpx
import structlog
from django.conf import settings

from gateway import database, spacer
from gateway.errors import QueueFull, SchoolError, SchoolServerError, SchoolTooFast, TokenDead, TooManySessions
from gateway.school.client import CompletionStream, SchoolClient
from gateway.spacer import Slot, Spacer
from tokens import services as tokens
from tokens.waiting import usable_or_wait

T = TypeVar("T")
log = structlog.get_logger(__name__)

MAX_TOO_FAST = 6
MAX_DEAD_TOKENS = 2


@dataclass
class Waits:
    """Seconds that a request has waited: for other calls, for the interval, for a login.

    `session_at`: when its upstream session was there, by the monotonic clock; None before.
    """

    queued: float = 0.0
    spacing: float = 0.0
    login: float = 0.0
    session_at: float | None = None


class Line:
    """The way of one request, or one background task, to the school."""

    def __init__(self, account_id: UUID, *, http: httpx.AsyncClient, slots: Spacer, background: bool = False) -> None:
        self.account_id = account_id
        self.waits = Waits()
        # Whether the last call left and the school has not refused it: it may have been accepted.
        self.in_doubt = False
        # Whether the school took a prompt of this request; while one is on its way, `in_doubt` says it.
        self._prompt_taken = False
        self._prompting = False
        self._http = http
        self._slots = slots
        self._background = background
        self._order = time.monotonic()
        # Read once: should a login replace it meanwhile, the school refuses it and it is read again.
        self._token: tokens.Usable | None = None

    async def call(self, attempt: Callable[[SchoolClient], Awaitable[T]]) -> T:
        """`attempt(client)`, again while the school refuses it.

        Raises every `SchoolError`, and `AccountUnavailable`, `AccountBlocked`, `QueueFull`.
        """
        too_fast = dead = 0
        while True:
            token = self._token = self._token or await self._find_token()
            self.in_doubt = False
            client = SchoolClient(self._http, token.value, gate=self._slot)
            try:
                return await self._tell_death_from_outage(client, attempt)
            except SchoolTooFast:
                self.in_doubt = False
                await database.run(spacer.slow_down, self.account_id)
                too_fast += 1
                if too_fast > MAX_TOO_FAST:
                    raise
            except TooManySessions:
                self.in_doubt = False
                raise
            except TokenDead:
                self.in_doubt = False
                self._token = None
                await database.run(tokens.mark_dead, self.account_id, token.version)
                dead += 1
                if dead > MAX_DEAD_TOKENS:
                    raise

    @asynccontextmanager
    async def completions(
        self, *, session_id: int, text: str, files: Sequence[str], online: bool, thinking: str | None
    ) -> AsyncIterator[CompletionStream]:
        """The stream of one prompt that the school has accepted."""
        self._prompting = True
        async with AsyncExitStack() as stack:
            stream = await self.call(
                lambda client: stack.enter_async_context(
                    client.completions(session_id=session_id, text=text, files=files, online=online, thinking=thinking)
                )
            )
            self._prompt_taken = True
            yield stream

    @property
    def may_have_cost(self) -> bool:
        """Whether the school may have taken a prompt: then the same request once more only costs points again."""
        return self._prompt_taken or (self._prompting and self.in_doubt)

    async def _tell_death_from_outage(self, client: SchoolClient, attempt: Callable[[SchoolClient], Awaitable[T]]) -> T:
        """Some calls answer a dead token with a bare 500 (protocol page): a harmless call tells it from an outage."""
        try:
            return await attempt(client)
        except SchoolServerError:
            try:
                await client.config()
            except TokenDead:
                raise
            except (SchoolError, QueueFull) as also_failed:
                log.info("probe failed too", code=also_failed.code)
            raise

    async def _find_token(self) -> tokens.Usable:
        started = time.monotonic()
        try:
            if self._background:
                return await database.run(tokens.usable_or_raise, self.account_id)
            return await usable_or_wait(self.account_id, seconds=settings.TOKEN_WAIT_SECONDS - self.waits.login)
        finally:
            self.waits.login += time.monotonic() - started

    async def _check_token(self) -> None:
        """A background call may have waited long: with a token that died it is not made. Raises `TokenDead`."""
        token = await database.run(tokens.usable_or_raise, self.account_id)
        if self._token is not None and token.version != self._token.version:
            raise TokenDead("The account was logged in anew.")

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Slot]:
        async with self._slots.slot(self.account_id, order=self._order, background=self._background) as slot:
            self.waits.queued += slot.ticket.queued
            self.waits.spacing += slot.ticket.spaced
            if self._background:
                await self._check_token()
            try:
                yield slot
            finally:
                # Not back to False by a probe: what came before it is still in doubt.
                self.in_doubt |= slot.sent_at is not None
