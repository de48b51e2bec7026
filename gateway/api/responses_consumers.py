"""The routes of the Responses API: ask, read what was stored, erase it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway import database, stored
from gateway.api.admission import Admission, admitted
from gateway.api.conversation import Turn
from gateway.api.replies import Reply
from gateway.api.requests import Parsed
from gateway.api.responses_events import ResponseWriter
from gateway.api.responses_request import ResponsesRequest, chat_request, input_turns, parse_responses
from gateway.api.streaming import Consumer, Exchange
from gateway.api.toolcalls import message_fields
from gateway.errors import InvalidRequest, ResponseNotFound
from gateway.stored import Stored

MAX_STORED_BYTES = 4_000_000
"""Of a conversation before its answer: each stored response holds the whole conversation up to it."""


class Responses(Consumer):
    """`POST /v1/responses`"""

    methods = ("POST",)

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, "responses") as admission:
            request, ignored = parse_responses(body)
            turns, earlier = input_turns(request.input), await _earlier(request, admission.caller.member_id)
            conversation = [*earlier, *(turn for _, turn in turns)]
            if request.store:
                _check_size(conversation)
            writer = ResponseWriter(request)
            exchange.error_frames = writer.failed
            async with admission.prepared(chat_request(request, turns, earlier), ignored) as parsed:
                answer = self._stream if request.stream else self._collect
                await answer(admission, parsed, writer, conversation)

    async def _stream(
        self, admission: Admission, parsed: Parsed, writer: ResponseWriter, turns: Sequence[Turn]
    ) -> None:
        reply, unsent = await admission.stream(parsed, writer)
        end = writer.last(reply.finish_reason, admission.usage)
        await _store(writer.body, admission, turns, reply)
        await admission.exchange.stream(unsent + end)
        await admission.exchange.end_stream()

    async def _collect(
        self, admission: Admission, parsed: Parsed, writer: ResponseWriter, turns: Sequence[Turn]
    ) -> None:
        reply, pieces = await admission.collect(parsed)
        writer.pieces(pieces)
        writer.last(reply.finish_reason, admission.usage)
        await _store(writer.body, admission, turns, reply)
        await admission.exchange.answer(writer.body)


class StoredResponses(Consumer):
    """`GET` and `DELETE /v1/responses/{id}`: for the member who had it stored."""

    methods = ("GET", "DELETE")

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, "responses") as admission:
            response_id, member_id = self.route["id"], admission.caller.member_id
            if exchange.method == "DELETE":
                if not await database.run(stored.erase, response_id, member_id):
                    raise _not_found()
                await exchange.answer({"id": response_id, "object": "response", "deleted": True})
            else:
                kept = await database.run(stored.find, response_id, member_id)
                if kept is None:
                    raise _not_found()
                await exchange.answer(kept.response)


async def _earlier(request: ResponsesRequest, member_id: int) -> list[Turn]:
    """The conversation that the request goes on with. Its instructions are not carried over."""
    if request.previous_response_id is None:
        return []
    kept = await database.run(stored.find, request.previous_response_id, member_id)
    if kept is None:
        raise ResponseNotFound(
            'The previous response is not stored here for you. Send "store": true to keep one, for a day.',
            code="previous_response_not_found",
            param="previous_response_id",
        )
    return msgspec.convert(kept.turns, list[Turn])


def _check_size(turns: Sequence[Turn]) -> None:
    if len(msgspec.json.encode(turns)) > MAX_STORED_BYTES:
        raise InvalidRequest(
            f'A conversation of more than {MAX_STORED_BYTES:,} bytes is not stored here: send "store": false.',
            param="store",
            code="too_large_to_store",
        )


async def _store(response: dict[str, Any], admission: Admission, turns: Sequence[Turn], reply: Reply) -> None:
    """Keep the conversation up to this answer, where the client asked for it."""
    if not response["store"]:
        return
    fields = message_fields(reply.calls) if reply.calls else {}
    said = Turn("assistant", reply.text, **fields)
    kept = Stored([msgspec.to_builtins(turn) for turn in [*turns, said]], response)
    await database.run(stored.save, response["id"], admission.caller.member_id, kept)


def _not_found() -> ResponseNotFound:
    return ResponseNotFound("This response is not stored here for you: it was never stored, was erased, or expired.")
