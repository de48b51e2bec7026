"""The routes of the API: parse, run, shape the answer."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import DatabaseError, connection

from gateway import catalogue, database
from gateway.api.admission import Admission, FindCaller, admitted, by_key
from gateway.api.auth import check_model
from gateway.api.requests import Parsed, parse
from gateway.api.responses import ChunkWriter, completion, marked_usage
from gateway.api.session_auth import by_session
from gateway.api.streaming import Consumer, Exchange
from gateway.catalogue import Offer
from gateway.errors import DatabaseUnreachable, ModelNotFound, UnknownRoute
from gateway.school.catalog import Model


class ChatCompletions(Consumer):
    """`POST /v1/chat/completions`"""

    methods = ("POST",)
    endpoint: ClassVar[str] = "chat/completions"

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, self.endpoint, self.find_caller(exchange)) as admission:
            request, ignored = parse(body)
            async with admission.prepared(request, ignored) as parsed:
                if request.stream:
                    await self._stream(admission, parsed)
                else:
                    await self._collect(admission, parsed)

    def find_caller(self, exchange: Exchange) -> FindCaller:
        return by_key(exchange)

    def writer(self, model: str, *, include_usage: bool, legacy: bool) -> ChunkWriter:
        return ChunkWriter(model=model, include_usage=include_usage, legacy=legacy)

    async def _stream(self, admission: Admission, parsed: Parsed) -> None:
        request, exchange = parsed.request, admission.exchange
        writer = self.writer(request.model, include_usage=request.include_usage, legacy=_is_legacy(parsed))
        reply, unsent = await admission.stream(parsed, writer)
        await exchange.stream(unsent + writer.last(reply.finish_reason, admission.usage))
        await exchange.end_stream()

    async def _collect(self, admission: Admission, parsed: Parsed) -> None:
        reply, pieces = await admission.collect(parsed)
        answer = completion(
            model=parsed.request.model,
            pieces=pieces,
            finish_reason=reply.finish_reason,
            usage=admission.usage,
            legacy=_is_legacy(parsed),
        )
        await admission.exchange.answer(answer)


class Playground(ChatCompletions):
    """`POST /dashboard/playground/chat/completions`: the same for our page, where a session stands for the key."""

    endpoint = "playground"
    cross_origin = False

    def find_caller(self, exchange: Exchange) -> FindCaller:
        return by_session(exchange)

    def writer(self, model: str, *, include_usage: bool, legacy: bool) -> ChunkWriter:
        return ChunkWriter(model=model, include_usage=include_usage, legacy=legacy, usage_body=marked_usage)


class Models(Consumer):
    """`GET /v1/models`: from the stored catalogue, also when the school is down."""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, "models") as admission:
            offer = admission.offer or await catalogue.refresh(admission.line)
            allowed = [model for model in offer.models if admission.caller.bounds.allow_model(model.id)]
            await exchange.answer({"object": "list", "data": [_model_body(model, offer) for model in allowed]})


class OneModel(Consumer):
    """`GET /v1/models/{id}`"""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, "models") as admission:
            offer = admission.offer or await catalogue.refresh(admission.line)
            model = offer.find(self.route["id"])
            if model is None:
                raise ModelNotFound("This model is not offered to your account. GET /v1/models lists those that are.")
            check_model(admission.caller, model.id)
            await exchange.answer(_model_body(model, offer))


class Health(Consumer):
    """`GET /healthz`: whether this process answers and reaches its database. Needs no key."""

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        try:
            await database.run(_ask_database)
        except DatabaseError:
            raise DatabaseUnreachable("The gateway does not reach its database.") from None
        await exchange.answer({"status": "ok"})


class NoRoute(Consumer):
    """Whatever else stands under the API's paths."""

    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        raise UnknownRoute(
            f"Unknown request URL: {exchange.method} {exchange.path[:200]}. Set your client's base URL to "
            "this gateway's address followed by /v1."
        )


def _is_legacy(parsed: Parsed) -> bool:
    return parsed.wanted.toolbox is not None and parsed.wanted.toolbox.legacy


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
