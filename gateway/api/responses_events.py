"""`response` and the typed events of its stream.

The object that is not streamed is what the stream's last event holds: both are built by the same writer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.answer import Delta
from gateway.api.replies import Piece
from gateway.api.responses_request import ResponsesRequest
from gateway.api.toolcalls import ToolCall
from gateway.errors import GatewayError
from gateway.usage.recording import Usage

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""`incomplete_details.reason` by the finish reason of a chat."""


class ResponseWriter:
    """One response: `body` as it stands, and the frames that tell of each step."""

    def __init__(self, request: ResponsesRequest) -> None:
        self.body = _empty(request)
        self._number = 0
        self._begun = False
        self._part: _MessagePart | _ReasoningPart | None = None

    def first(self) -> bytes:
        self._begun = True
        return self._event("response.created", response=self.body) + self._event(
            "response.in_progress", response=self.body
        )

    def pieces(self, pieces: Iterable[Piece]) -> bytes:
        return b"".join(self._call(each) if isinstance(each, ToolCall) else self._delta(each) for each in pieces)

    def last(self, finish_reason: str, usage: Usage) -> bytes:
        """Ends the response; `body` is whole from now on."""
        reason = INCOMPLETE.get(finish_reason)
        status = "incomplete" if reason else "completed"
        frames = self._close(status)
        self.body |= {"status": status, "usage": usage_body(usage)}
        if reason:
            self.body["incomplete_details"] = {"reason": reason}
        else:
            self.body["completed_at"] = int(time.time())
        return frames + self._event(f"response.{status}", response=self.body)

    def failed(self, error: GatewayError) -> bytes:
        """A failure after the headers. SDKs raise at the `error` event; it has both of the shapes that they know."""
        opening = b"" if self._begun else self.first()
        told = {"code": _error_code(error), "message": error.message}
        self.body |= {"status": "failed", "error": told, "incomplete_details": None}
        body = error.body()["error"]
        flat = {key: body[key] for key in ("code", "message", "param")}
        return opening + self._event("response.failed", response=self.body) + self._event("error", **flat, error=body)

    def _delta(self, delta: Delta) -> bytes:
        kind = _ReasoningPart if delta.reasoning else _MessagePart
        opening = b""
        if not isinstance(self._part, kind):
            opening = self._close("completed")
            self._part = kind(index=len(self.body["output"]))
            opening += self._events(self._part.opening())
        self._part.texts.append(delta.text)
        return opening + self._events([self._part.delta(delta.text)])

    def _close(self, status: str) -> bytes:
        """Ends the text that is still coming in."""
        if self._part is None:
            return b""
        part, self._part = self._part, None
        item = part.item(status)
        self.body["output"].append(item)
        done = ("response.output_item.done", {"output_index": part.index, "item": item})
        return self._events([*part.closing(), done])

    def _call(self, call: ToolCall) -> bytes:
        closing = self._close("completed")
        item = call_item(call)
        place = {"item_id": item["id"], "output_index": len(self.body["output"])}
        self.body["output"].append(item)
        index, begun = {"output_index": place["output_index"]}, {**item, "status": "in_progress", "arguments": ""}
        return closing + self._events(
            [
                ("response.output_item.added", {**index, "item": begun}),
                ("response.function_call_arguments.delta", {**place, "delta": call.arguments}),
                ("response.function_call_arguments.done", {**place, "name": call.name, "arguments": call.arguments}),
                ("response.output_item.done", {**index, "item": item}),
            ]
        )

    def _events(self, events: Iterable[tuple[str, dict[str, Any]]]) -> bytes:
        return b"".join(self._event(kind, **fields) for kind, fields in events)

    def _event(self, kind: str, **fields: Any) -> bytes:
        payload = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(payload) + b"\n\n"


class _MessagePart:
    """The text of one `message` item."""

    def __init__(self, *, index: int) -> None:
        self.index = index
        self.texts: list[str] = []
        self._id = new_id("msg")
        self._place = {"item_id": self._id, "output_index": index, "content_index": 0}

    def opening(self) -> list[tuple[str, dict[str, Any]]]:
        item = {**self.item("in_progress"), "content": []}
        return [
            ("response.output_item.added", {"output_index": self.index, "item": item}),
            ("response.content_part.added", {**self._place, "part": self._content()}),
        ]

    def delta(self, text: str) -> tuple[str, dict[str, Any]]:
        return "response.output_text.delta", {**self._place, "delta": text, "logprobs": []}

    def closing(self) -> list[tuple[str, dict[str, Any]]]:
        part = self._content()
        return [
            ("response.output_text.done", {**self._place, "text": part["text"], "logprobs": []}),
            ("response.content_part.done", {**self._place, "part": part}),
        ]

    def item(self, status: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [self._content()],
        }

    def _content(self) -> dict[str, Any]:
        return {"type": "output_text", "text": "".join(self.texts), "annotations": [], "logprobs": []}


class _ReasoningPart:
    """The text of one `reasoning` item, as its summary: what clients show."""

    def __init__(self, *, index: int) -> None:
        self.index = index
        self.texts: list[str] = []
        self._id = new_id("rs")
        self._place = {"item_id": self._id, "output_index": index, "summary_index": 0}

    def opening(self) -> list[tuple[str, dict[str, Any]]]:
        item = {**self.item("in_progress"), "summary": []}
        return [
            ("response.output_item.added", {"output_index": self.index, "item": item}),
            ("response.reasoning_summary_part.added", {**self._place, "part": self._summary()}),
        ]

    def delta(self, text: str) -> tuple[str, dict[str, Any]]:
        return "response.reasoning_summary_text.delta", {**self._place, "delta": text}

    def closing(self) -> list[tuple[str, dict[str, Any]]]:
        part = self._summary()
        return [
            ("response.reasoning_summary_text.done", {**self._place, "text": part["text"]}),
            ("response.reasoning_summary_part.done", {**self._place, "part": part}),
        ]

    def item(self, status: str) -> dict[str, Any]:
        return {"id": self._id, "type": "reasoning", "status": status, "summary": [self._summary()]}

    def _summary(self) -> dict[str, Any]:
        return {"type": "summary_text", "text": "".join(self.texts)}


def call_item(call: ToolCall) -> dict[str, Any]:
    """A `function_call` of `output`."""
    return {
        "id": new_id("fc"),
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def usage_body(usage: Usage) -> dict[str, Any]:
    """Tokens. The school tells neither what was cached nor what was thought."""
    tokens_in, tokens_out = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }


def new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(24)}"


def _empty(request: ResponsesRequest) -> dict[str, Any]:
    """The response before its first piece: the request's own fields, as OpenAI repeats them."""
    reasoning = request.reasoning
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "metadata": request.metadata or {},
        "model": request.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "reasoning": {"effort": reasoning.effort if reasoning else None, "summary": None},
        "store": bool(request.store),
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": {"format": _flat(_format(request), "json_schema")},
        "tool_choice": request.tool_choice or "auto",
        "tools": [_flat(tool, "function") for tool in request.tools or ()],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
    }


def _format(request: ResponsesRequest) -> Mapping[str, Any]:
    return (request.text and request.text.format) or {"type": "text"}


def _flat(fields: Mapping[str, Any], inner: str) -> dict[str, Any]:
    """As this API has it; some clients send the nested form of chat completions."""
    nested = fields.get(inner)
    if not isinstance(nested, Mapping):
        return dict(fields)
    return {**{key: value for key, value in fields.items() if key != inner}, **nested}


def _error_code(error: GatewayError) -> str:
    """Of the few codes that a failed response may have."""
    if error.type == "rate_limit_error":
        return "rate_limit_exceeded"
    return "invalid_prompt" if error.type == "invalid_request_error" else "server_error"
