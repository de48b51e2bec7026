"""The routes of the API: parse, run, shape the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.db import DatabaseError, connection

from gateway import catalogue, database
from gateway.api.auth import account_of, caller_of, key_of
from gateway.api.reasoning import ReasoningView
from gateway.api.replies import Emit, Piece, Reply, Writer
from gateway.api.requests import ChatRequest, Parsed, parse, to_prompt
from gateway.api.responses import ChunkWriter, completion
from gateway.api.service import member_line
from gateway.api.streaming import Consumer, Exchange
from gateway.callers import Caller, Preferences
from gateway.calls import Line
from gateway.catalogue import Offer
from gateway.chat import opened
from gateway.errors import GatewayError, ModelNotFound, SchoolError, UnknownRoute
from gateway.models import UsageRecord
from gateway.school.catalog import Model
from gateway.usage import Usage, record_open, recorded


class ChatCompletions(Consumer):
    """`POST /v1/chat/completions`"""

    methods = ("POST",)

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with _admitted(exchange, "chat/completions") as (caller, usage, line, offer):
            request, ignored = parse(body)
            usage.model, usage.stream = request.model, bool(request.stream)
            async with _unknown_model_named(line, offer, request):
                if request.stream:
                    async with exchange.kept_alive():
                        parsed = await _prepared(exchange, line, offer, request, ignored, caller.preferences)
                        await self._stream(exchange, parsed, line, usage)
                else:
                    parsed = await _prepared(exchange, line, offer, request, ignored, caller.preferences)
                    await self._collect(exchange, parsed, line, usage)

    async def _stream(self, exchange: Exchange, parsed: Parsed, line: Line, usage: Usage) -> None:
        request, view = parsed.request, ReasoningView(parsed.show)
        writer = ChunkWriter(model=request.model, include_usage=request.include_usage, legacy=_is_legacy(parsed))

        async def emit(pieces: list[Piece]) -> None:
            if seen := view.see(pieces):
                await exchange.stream(_opening(writer, usage) + writer.pieces(seen))

        reply = await _reply(parsed, line, emit)
        usage.count(reply.turns)
        end = writer.pieces(view.close()) + writer.last(reply.finish_reason, usage)
        await exchange.stream(_opening(writer, usage) + end)
        await exchange.end_stream()

    async def _collect(self, exchange: Exchange, parsed: Parsed, line: Line, usage: Usage) -> None:
        view, seen = ReasoningView(parsed.show), list[Piece]()

        async def emit(pieces: list[Piece]) -> None:
            usage.first_token()
            seen.extend(view.see(pieces))

        reply = await _reply(parsed, line, emit)
        usage.count(reply.turns)
        answer = completion(
            model=parsed.request.model,
            pieces=[*seen, *view.close()],
            finish_reason=reply.finish_reason,
            usage=usage,
            legacy=_is_legacy(parsed),
        )
        await exchange.answer(answer)


class Models(Consumer):
    """`GET /v1/models`: from the stored catalogue, also when the school is down."""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with _admitted(exchange, "models") as (_, _, line, stored):
            offer = stored or await catalogue.refresh(line)
            await exchange.answer({"object": "list", "data": [_model_body(model, offer) for model in offer.models]})


class OneModel(Consumer):
    """`GET /v1/models/{id}`"""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with _admitted(exchange, "models") as (_, _, line, stored):
            offer = stored or await catalogue.refresh(line)
            model = offer.find(self.route["id"])
            if model is None:
                raise ModelNotFound("This model is not offered to your account. GET /v1/models lists those that are.")
            await exchange.answer(_model_body(model, offer))


class Health(Consumer):
    """`GET /healthz`: whether this process answers and reaches its database. Needs no key."""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        try:
            await database.run(_ask_database)
        except DatabaseError:
            raise GatewayError("The gateway does not reach its database.", code="database_unreachable") from None
        await exchange.answer({"status": "ok"})


class NoRoute(Consumer):
    """Whatever else stands under the API's paths."""

    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        raise UnknownRoute(
            f"Unknown request URL: {exchange.method} {exchange.path[:200]}. Set your client's base URL to "
            "this gateway's address followed by /v1."
        )


@asynccontextmanager
async def _admitted(exchange: Exchange, endpoint: str) -> AsyncIterator[tuple[Caller, Usage, Line, Offer | None]]:
    """The request of a live key, on record; its way to the school, and what the school offers as far as is known."""
    usage = _usage(exchange, endpoint)
    caller, row, offer = await database.run(_admit, key_of(exchange.headers), usage)
    async with recorded(usage, row):
        line = member_line(account_of(caller))
        usage.waits = line.waits
        yield caller, usage, line, offer


def _admit(key: str, usage: Usage) -> tuple[Caller, UsageRecord, Offer | None]:
    """All that a request asks of the database before the school is asked: together, because each way there costs."""
    caller = caller_of(key)
    return caller, record_open(usage, caller), catalogue.stored(caller.account.pk) if caller.account else None


async def _prepared(
    exchange: Exchange,
    line: Line,
    offer: Offer | None,
    request: ChatRequest,
    ignored: tuple[str, ...],
    preferences: Preferences,
) -> Parsed:
    """The request as a prompt. A model that a stale catalogue does not know is looked up again first."""
    try:
        parsed = to_prompt(request, ignored, _by_id(offer), preferences)
    except ModelNotFound:
        if offer is None or not offer.may_be_outdated:
            raise
        parsed = to_prompt(request, ignored, _by_id(await catalogue.refresh(line)), preferences)
    if parsed.ignored:
        exchange.header("x-gateway-ignored-parameters", ", ".join(parsed.ignored))
    return parsed


@asynccontextmanager
async def _unknown_model_named(line: Line, offer: Offer | None, request: ChatRequest) -> AsyncIterator[None]:
    """Before the first list of models has come, only the school can refuse an unknown one: with no known code."""
    try:
        yield
    except SchoolError as error:
        if offer is None and error.code == SchoolError.code:
            with suppress(SchoolError):
                to_prompt(request, (), _by_id(await catalogue.refresh(line)), Preferences())
        raise


def _by_id(offer: Offer | None) -> dict[str, Model] | None:
    return {model.id: model for model in offer.models} if offer else None


def _opening(writer: ChunkWriter, usage: Usage) -> bytes:
    """The first chunk, once."""
    if usage.first_token_at is not None:
        return b""
    usage.first_token()
    return writer.first()


async def _reply(parsed: Parsed, line: Line, emit: Emit) -> Reply:
    async with opened(parsed.prompt, line=line) as chat:
        return await Writer(chat, parsed.prompt.text, emit).write(parsed.wanted)


def _is_legacy(parsed: Parsed) -> bool:
    return parsed.wanted.toolbox is not None and parsed.wanted.toolbox.legacy


def _usage(exchange: Exchange, endpoint: str) -> Usage:
    retries = exchange.headers.get("x-stainless-retry-count", "")
    return Usage(
        endpoint=endpoint,
        request_id=exchange.request_id,
        user_agent=exchange.headers.get("user-agent", ""),
        retry_count=min(int(retries), 99) if retries.isdecimal() else 0,
        started=exchange.arrived,
    )


def _model_body(model: Model, offer: Offer) -> dict[str, Any]:
    """OpenAI's four fields, and the school's facts beside them (`price` in points; "" = free)."""
    return {
        "id": model.id,
        "object": "model",
        "created": int(offer.fetched_at.timestamp()),
        "owned_by": "xjtlu",
        "name": model.label,
        "price": model.price,
        "expires": model.expired,
        "capabilities": {
            "web_search": model.online,
            "reasoning": model.thinking,
            "vision": model.multimodal,
            "plugin": model.plugin,
        },
    }


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
