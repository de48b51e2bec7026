"""`POST /v1/responses`: the client's JSON, as the chat that it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.api.conversation import Places, Turn
from gateway.api.requests import MAX_TOKENS, ChatRequest, ReasoningOptions, check, check_range, decoded
from gateway.errors import InvalidRequest

WEB_SEARCH = ("web_search", "web_search_preview")
"""Also with a date behind them."""


class TextOptions(msgspec.Struct):
    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ReasoningConfig(msgspec.Struct):
    """`summary` is not read: the reasoning is shown whole."""

    effort: str | None = None
    summary: str | None = None


class ResponsesRequest(msgspec.Struct):
    """What is read of the body. `background`, `conversation` and `prompt` are refused."""

    model: str
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningConfig | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None


class TranslatedRequest(ChatRequest):
    """A chat request whose errors name the parameters of a response's."""

    turn_places: tuple[str, ...] = ()

    @property
    def places(self) -> Places:
        return Places(
            turns="input",
            each_turn=self.turn_places,
            format="text.format",
            web_search="tools",
            effort="reasoning",
        )


def parse_responses(body: bytes) -> tuple[ResponsesRequest, tuple[str, ...]]:
    """The body's request and the names of what is ignored. Raises `InvalidRequest` naming the parameter."""
    request, ignored = decoded(body, ResponsesRequest)
    _check(request)
    if request.text and request.text.verbosity:
        ignored = (*ignored, "text.verbosity")
    return request, ignored


def input_turns(given: str | Sequence[Mapping[str, Any]]) -> list[tuple[str, Turn]]:
    """The turns of `input`, each with the place that errors name. Calls in a row are one turn of the assistant's."""
    if isinstance(given, str):
        return [("input", Turn("user", given))]
    turns: list[tuple[str, Turn]] = []
    for at, item in enumerate(given):
        _add_item(turns, item, f"input[{at}]")
    return turns


def chat_request(
    request: ResponsesRequest, turns: Sequence[tuple[str, Turn]], earlier: Sequence[Turn] = ()
) -> ChatRequest:
    """The chat in which `turns` follow the `earlier` ones of the previous response. Raises `InvalidRequest`."""
    placed = [("previous_response_id", turn) for turn in earlier] + list(turns)
    if request.instructions:
        placed.insert(0, ("instructions", Turn("system", request.instructions)))
    functions = [tool for tool in request.tools or () if not _is_web_search(tool)]
    chat = TranslatedRequest(
        model=request.model,
        messages=[turn for _, turn in placed],
        turn_places=tuple(place for place, _ in placed),
        stream=request.stream,
        temperature=request.temperature,
        max_tokens=request.max_output_tokens,
        reasoning=ReasoningOptions(effort=request.reasoning.effort) if request.reasoning else None,
        response_format=request.text.format if request.text else None,
        web_search_options={} if len(functions) < len(request.tools or ()) else None,
        tools=functions or None,
        tool_choice=_function_choice(request.tool_choice, functions),
        parallel_tool_calls=request.parallel_tool_calls,
    )
    check(chat)
    return chat


def _check(request: ResponsesRequest) -> None:
    for name in ("background", "conversation", "prompt"):
        if getattr(request, name):
            raise InvalidRequest(f"'{name}' is not offered here.", param=name, code="unsupported_parameter")
    if not request.input:
        raise InvalidRequest("'input' must not be empty.", param="input")
    check_range("max_output_tokens", request.max_output_tokens, 1, MAX_TOKENS)
    for at, tool in enumerate(request.tools or ()):
        kind = tool.get("type")
        if kind != "function" and not _is_web_search(tool):
            named = f"The tool '{kind[:50]}'" if isinstance(kind, str) else f"'tools[{at}]'"
            raise InvalidRequest(
                f"{named} is not offered here: only function tools and web_search are.", param=f"tools[{at}].type"
            )


def _is_web_search(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    return isinstance(kind, str) and (kind in WEB_SEARCH or kind.startswith(tuple(f"{name}_20" for name in WEB_SEARCH)))


def _function_choice(
    choice: str | dict[str, Any] | None, functions: Sequence[Mapping[str, Any]]
) -> str | dict[str, Any] | None:
    """The choice among functions. A search needs no call: who chooses it, or has no other tool, has chosen none."""
    if isinstance(choice, dict) and _is_web_search(choice):
        return "none"
    return choice if functions or choice != "required" else None


def _add_item(turns: list[tuple[str, Turn]], item: Mapping[str, Any], place: str) -> None:
    kind = item.get("type", "message" if "role" in item else None)
    if kind == "message":
        turns.append((place, _message(item, place)))
    elif kind == "function_call":
        call = _call(item, place)
        last = turns[-1][1] if turns else None
        if last is not None and last.role == "assistant" and last.tool_calls:
            last.tool_calls.append(call)
        else:
            turns.append((place, Turn("assistant", tool_calls=[call])))
    elif kind == "function_call_output":
        output = _content(item, "output", place)
        turns.append((place, Turn("tool", output, tool_call_id=_string(item, "call_id", place))))
    elif kind != "reasoning":
        named = f"'{kind[:50]}' " if isinstance(kind, str) else ""
        raise InvalidRequest(f"'{place}' is of a type {named}that is not offered here.", param=f"{place}.type")


def _message(item: Mapping[str, Any], place: str) -> Turn:
    return Turn(_string(item, "role", place), _content(item, "content", place))


def _call(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    """As a turn's `tool_calls` hold it."""
    function = {"name": _string(item, "name", place), "arguments": _string(item, "arguments", place)}
    return {"id": _string(item, "call_id", place), "type": "function", "function": function}


def _string(item: Mapping[str, Any], key: str, place: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise InvalidRequest(f"'{place}.{key}' must be a string.", param=f"{place}.{key}", code="invalid_type")
    return value


def _content(item: Mapping[str, Any], key: str, place: str) -> str | list[dict[str, Any]]:
    value = item.get(key)
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, dict) for part in value)):
        return value
    raise InvalidRequest(
        f"'{place}.{key}' must be a string or a list of parts.", param=f"{place}.{key}", code="invalid_type"
    )
