"""What every request to a model goes through: its key, its record, its prompt, and the reply to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from gateway import allowances, catalogue, database
from gateway.allowances import Standing
from gateway.api.auth import account_of, caller_of, check_address, check_model, check_standing, key_of
from gateway.api.reasoning import ReasoningView
from gateway.api.replies import Emit, Piece, Reply, Writer
from gateway.api.requests import ChatRequest, Parsed, to_prompt
from gateway.api.service import member_line
from gateway.api.streaming import Exchange
from gateway.callers import Caller
from gateway.calls import Line
from gateway.catalogue import Offer
from gateway.chat import opened
from gateway.errors import AccountUnavailable, GatewayError, ModelNotFound, QueueFull, SchoolError
from gateway.models import UsageRecord
from gateway.school.catalog import Model
from gateway.usage.recording import Usage, record_open, recorded

FindCaller = Callable[[], Caller]
"""Asks the database whose request it is. Raises `InvalidApiKey`."""


class FrameWriter(Protocol):
    """Shapes the frames of one stream."""

    def first(self) -> bytes: ...

    def pieces(self, pieces: Iterable[Piece]) -> bytes: ...


@dataclass(frozen=True)
class Admission:
    """The request of a live key, on record; its way to the school, and what the school offers as far as is known."""

    exchange: Exchange
    caller: Caller
    usage: Usage
    line: Line
    offer: Offer | None

    @asynccontextmanager
    async def prepared(self, request: ChatRequest, ignored: tuple[str, ...]) -> AsyncIterator[Parsed]:
        """The request as a prompt, to be replied to in the block; a stream's client is kept waiting meanwhile."""
        self.usage.model, self.usage.stream = request.model, bool(request.stream)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._unknown_model_named(request))
            if request.stream:
                await stack.enter_async_context(self.exchange.kept_alive())
            parsed = await self._parsed(request, ignored)
            if parsed.ignored:
                self.exchange.header("x-gateway-ignored-parameters", ", ".join(parsed.ignored))
            yield parsed

    async def stream(self, parsed: Parsed, writer: FrameWriter) -> tuple[Reply, bytes]:
        """Stream the reply as it comes. Returns it, and the frames that are to be sent with those of the end."""
        view = ReasoningView(parsed.show)

        async def emit(pieces: list[Piece]) -> None:
            if seen := view.see(pieces):
                await self.exchange.stream(self._opening(writer) + writer.pieces(seen))

        reply = await self._reply(parsed, emit)
        return reply, self._opening(writer) + writer.pieces(view.close())

    async def collect(self, parsed: Parsed) -> tuple[Reply, list[Piece]]:
        """The reply, and what its client is to see."""
        view, seen = ReasoningView(parsed.show), list[Piece]()

        async def emit(pieces: list[Piece]) -> None:
            self.usage.first_token()
            seen.extend(view.see(pieces))

        reply = await self._reply(parsed, emit)
        return reply, [*seen, *view.close()]

    async def _reply(self, parsed: Parsed, emit: Emit) -> Reply:
        async with opened(parsed.prompt, line=self.line) as chat:
            reply = await Writer(chat, parsed.prompt.text, emit).write(parsed.wanted)
        self.usage.count(reply.turns)
        return reply

    def _opening(self, writer: FrameWriter) -> bytes:
        """The first frames, once."""
        if self.usage.first_token_at is not None:
            return b""
        self.usage.first_token()
        return writer.first()

    async def _parsed(self, request: ChatRequest, ignored: tuple[str, ...]) -> Parsed:
        """A model that a stale catalogue does not know is looked up again first."""
        try:
            parsed = to_prompt(request, ignored, _by_id(self.offer), self.caller.preferences)
        except ModelNotFound:
            if self.offer is None or not self.offer.may_be_outdated:
                raise
            parsed = to_prompt(request, ignored, _by_id(await catalogue.refresh(self.line)), self.caller.preferences)
        check_model(self.caller, parsed.prompt.model)
        return parsed

    @asynccontextmanager
    async def _unknown_model_named(self, request: ChatRequest) -> AsyncIterator[None]:
        """Before the first list of models has come, only the school can refuse an unknown one: with no known code."""
        try:
            yield
        except SchoolError as error:
            if self.offer is None and error.code == SchoolError.code:
                with suppress(SchoolError, QueueFull, AccountUnavailable):
                    to_prompt(request, (), _by_id(await catalogue.refresh(self.line)), self.caller.preferences)
            raise


def by_key(exchange: Exchange) -> FindCaller:
    """The caller is whose key the request carries."""
    return partial(caller_of, key_of(exchange.headers), exchange.address)


@asynccontextmanager
async def admitted(exchange: Exchange, endpoint: str, find: FindCaller | None = None) -> AsyncIterator[Admission]:
    """The caller is whose key the request carries, unless `find` finds another.

    Raises `InvalidApiKey`; whatever is raised after that, also by the block, is on record.
    """
    usage = _usage(exchange, endpoint)
    admitting = asyncio.ensure_future(database.run(_admit, find or by_key(exchange), exchange, usage))
    try:
        caller, row, offer, standing = await asyncio.shield(admitting)
    except asyncio.CancelledError:
        # The client left meanwhile. The record may be made all the same, and then nobody else would close it.
        with suppress(GatewayError):
            _, row, *_ = await admitting
            async with recorded(usage, row):
                raise
        raise
    if standing is not None:
        for name, value in standing.headers().items():
            exchange.header(name, value)
    async with recorded(usage, row):
        check_address(caller, exchange.address)
        check_standing(standing)
        line = member_line(account_of(caller))
        exchange.may_have_cost = lambda: line.may_have_cost
        usage.waits = line.waits
        yield Admission(exchange, caller, usage, line, offer)


def _admit(
    find: FindCaller, exchange: Exchange, usage: Usage
) -> tuple[Caller, UsageRecord, Offer | None, Standing | None]:
    """All that a request asks of the database before the school is asked: together, because each way there costs."""
    caller = find()
    row = record_open(usage, caller)
    standing = _standing(caller, exchange)
    return caller, row, catalogue.stored(caller.account.pk) if caller.account else None, standing


def _standing(caller: Caller, exchange: Exchange) -> Standing | None:
    """Where a key with limits stands; what asks for an answer counts, what only reads does not."""
    if caller.key_id is None or not caller.bounds.are_counted:
        return None
    counts = exchange.method == "POST" and caller.bounds.allow_address(exchange.address)
    return (allowances.take if counts else allowances.look)(caller.key_id, caller.bounds)


def _by_id(offer: Offer | None) -> dict[str, Model] | None:
    return {model.id: model for model in offer.models} if offer else None


def _usage(exchange: Exchange, endpoint: str) -> Usage:
    retries = exchange.headers.get("x-stainless-retry-count", "")[:3]
    return Usage(
        endpoint=endpoint,
        request_id=exchange.request_id,
        user_agent=exchange.headers.get("user-agent", ""),
        retry_count=min(int(retries), 99) if retries.isdecimal() else 0,
        started=exchange.arrived,
    )
