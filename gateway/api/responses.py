"""`chat.completion` and `chat.completion.chunk`: an answer in OpenAI's JSON.

A stream's chunks share id, time and model, so that everything around a piece of text is encoded once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.answer import Delta
from gateway.chat import Outcome
from gateway.errors import GatewayError
from gateway.usage import Usage

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


class ChunkWriter:
    """The frames of one stream. With `include_usage` each chunk but the last carries `usage: null`."""

    def __init__(self, *, model: str, include_usage: bool) -> None:
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

    def deltas(self, deltas: Iterable[Delta]) -> bytes:
        """One frame a delta, in one piece for one write."""
        parts: list[bytes] = []
        for delta in deltas:
            before, after = self._reasoning if delta.reasoning else self._text
            parts += (before, orjson.dumps(delta.text), after)
        return b"".join(parts)

    def last(self, finish_reason: str, usage: Usage) -> bytes:
        end = self._chunk({}, finish_reason)
        if self._include_usage:
            end += frame({**self._head, "choices": [], "usage": usage_body(usage)})
        return end + DONE

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return frame({**self._head, "choices": [choice], **self._tail})

    def _split(self, field: str) -> tuple[bytes, bytes]:
        """A chunk's bytes before and after the text, cut at a mark that JSON would have to escape."""
        mark = "\x00"
        before, after = self._chunk({field: mark}).split(orjson.dumps(mark))
        return before, after


def completion(*, model: str, outcome: Outcome, usage: Usage) -> dict[str, Any]:
    """The answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": outcome.text, "refusal": None}
    if outcome.reasoning:
        message["reasoning_content"] = outcome.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": outcome.finish_reason}
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
