"""`POST /v1/completions`, the API before chats: one prompt, one text."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gateway.answer import Delta
from gateway.api.admission import Admission, admitted
from gateway.api.conversation import Places, Turn
from gateway.api.replies import Piece
from gateway.api.requests import ChatRequest, Parsed, StreamOptions, check, decoded
from gateway.api.responses import DONE, frame, usage_body
from gateway.api.streaming import Consumer, Exchange
from gateway.errors import InvalidRequest
from gateway.usage.recording import Usage


class CompletionRequest(msgspec.Struct):
    """What is read of the body. `prompt` is one string, also as a list of one."""

    model: str
    prompt: str | list[Any]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None

    @property
    def text(self) -> str:
        """Raises `InvalidRequest` where there is not exactly one string."""
        match self.prompt:
            case str() as text:
                return text
            case [str() as text]:
                return text
            case _:
                raise InvalidRequest("'prompt' must be one string: no tokens, and no further prompts.", param="prompt")


class PromptRequest(ChatRequest):
    """A chat request whose errors name the parameters of a completion's."""

    @property
    def places(self) -> Places:
        return Places(turns="prompt", each_turn=("prompt",), web_search="model")


def chat_request(request: CompletionRequest) -> ChatRequest:
    """The chat of one user message. Raises `InvalidRequest` naming the parameter."""
    if request.best_of not in (None, 1):
        raise InvalidRequest("The school gives one answer a prompt: 'best_of' must be 1.", param="best_of")
    chat = PromptRequest(
        model=request.model,
        messages=[Turn("user", request.text)],
        stream=request.stream,
        stream_options=request.stream_options,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        stop=request.stop,
        n=request.n,
    )
    check(chat)
    return chat


class Completions(Consumer):
    """`POST /v1/completions`"""

    methods = ("POST",)

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        async with admitted(exchange, "completions") as admission:
            request, ignored = decoded(body, CompletionRequest)
            chat = chat_request(request)
            echo = request.text if request.echo else ""
            async with admission.prepared(chat, ignored) as parsed:
                answer = self._stream if request.stream else self._collect
                await answer(admission, parsed, echo)

    async def _stream(self, admission: Admission, parsed: Parsed, echo: str) -> None:
        exchange, request = admission.exchange, parsed.request
        writer = TextChunkWriter(model=request.model, include_usage=request.include_usage, echo=echo)
        reply, unsent = await admission.stream(parsed, writer)
        await exchange.stream(unsent + writer.last(reply.finish_reason, admission.usage))
        await exchange.end_stream()

    async def _collect(self, admission: Admission, parsed: Parsed, echo: str) -> None:
        reply, pieces = await admission.collect(parsed)
        head = _head(parsed.request.model)
        choices = [_choice(echo + "".join(_texts(pieces)), reply.finish_reason)]
        await admission.exchange.answer({**head, "choices": choices, "usage": usage_body(admission.usage)})


class TextChunkWriter:
    """The frames of one stream. With `include_usage` each chunk but the last carries `usage: null`."""

    def __init__(self, *, model: str, include_usage: bool, echo: str) -> None:
        self._head = _head(model)
        self._include_usage = include_usage
        self._echo = echo

    def first(self) -> bytes:
        return self._chunk(self._echo) if self._echo else b""

    def pieces(self, pieces: Iterable[Piece]) -> bytes:
        return b"".join(self._chunk(text) for text in _texts(pieces))

    def last(self, finish_reason: str, usage: Usage) -> bytes:
        end = self._chunk("", finish_reason)
        if self._include_usage:
            end += frame({**self._head, "choices": [], "usage": usage_body(usage)})
        return end + DONE

    def _chunk(self, text: str, finish_reason: str | None = None) -> bytes:
        tail = {"usage": None} if self._include_usage else {}
        return frame({**self._head, "choices": [_choice(text, finish_reason)], **tail})


def _texts(pieces: Iterable[Piece]) -> Sequence[str]:
    """Reasoning has no place in this API."""
    return [piece.text for piece in pieces if isinstance(piece, Delta) and not piece.reasoning]


def _choice(text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _head(model: str) -> dict[str, Any]:
    return {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
    }
