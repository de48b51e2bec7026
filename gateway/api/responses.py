"""`chat.completion` and `chat.completion.chunk`: an answer in OpenAI's JSON.

A stream's chunks share id, time and model, so that everything around a piece of text is encoded once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from gateway.answer import Delta
from gateway.api.replies import Piece
from gateway.api.toolcalls import ToolCall, message_fields
from gateway.errors import GatewayError
from gateway.models import TokenSource
from gateway.usage.recording import Usage

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"


def frame(payload: dict[str, Any]) -> bytes:
    """One event of the stream: LF only, a space after the colon, no other fields."""
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def error_frame(error: GatewayError) -> bytes:
    """A failure after the headers. No `[DONE]` follows: clients would take the answer for complete."""
    return frame(error.body())


def usage_body(usage: Usage) -> dict[str, int]:
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def marked_usage(usage: Usage) -> dict[str, Any]:
    """For our own page, which shows what is estimated."""
    return {**usage_body(usage), "estimated": usage.token_source == TokenSource.ESTIMATE}


class ChunkWriter:
    """The frames of one stream. With `include_usage` each chunk but the last carries `usage: null`."""

    def __init__(
        self,
        *,
        model: str,
        include_usage: bool,
        legacy: bool,
        usage_body: Callable[[Usage], dict[str, Any]] = usage_body,
    ) -> None:
        self._legacy = legacy
        self._usage_body = usage_body
        self._calls = 0
        self._head: dict[str, Any] = {
            "id": _new_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._tail: dict[str, Any] = {"usage": None} if include_usage else {}
        self._include_usage = include_usage
        self._text = self._split("content")
        self._reasoning = self._split("reasoning_content")

    def first(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def pieces(self, pieces: Iterable[Piece]) -> bytes:
        """One frame a piece (a call takes two), all for one write."""
        parts: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, ToolCall):
                parts += (self._chunk(delta) for delta in piece.deltas(self._calls, legacy=self._legacy))
                self._calls += 1
            else:
                before, after = self._reasoning if piece.reasoning else self._text
                parts += (before, orjson.dumps(piece.text), after)
        return b"".join(parts)

    def last(self, finish_reason: str, usage: Usage) -> bytes:
        end = self._chunk({}, finish_reason)
        if self._include_usage:
            end += frame({**self._head, "choices": [], "usage": self._usage_body(usage)})
        return end + DONE

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return frame({**self._head, "choices": [choice], **self._tail})

    def _split(self, field: str) -> tuple[bytes, bytes]:
        """A chunk's bytes before and after the text, cut at a mark that JSON would have to escape."""
        mark = "\x00"
        before, after = self._chunk({field: mark}).split(orjson.dumps(mark))
        return before, after


def completion(
    *, model: str, pieces: Sequence[Piece], finish_reason: str, usage: Usage, legacy: bool
) -> dict[str, Any]:
    """The answer that is not streamed."""
    calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
    text = "".join(piece.text for piece in pieces if isinstance(piece, Delta) and not piece.reasoning)
    reasoning = "".join(piece.text for piece in pieces if isinstance(piece, Delta) and piece.reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message |= message_fields(calls, legacy=legacy)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": _new_id(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage_body(usage),
    }


def _new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"
