"""Earlier calls and their results, in the form in which the model is asked to call (see `tools`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.api.loose_json import BadJSON, decode
from gateway.api.tags import CALL_CLOSES, CALL_OPENS, RESPONSE_CLOSES, RESPONSE_OPENS, embed, embed_text
from gateway.errors import InvalidRequest


def calls_text(
    text: str,
    place: str,
    tool_calls: Sequence[Mapping[str, Any]] | None = None,
    function_call: Mapping[str, Any] | None = None,
) -> str:
    """An assistant's turn: what it said, then its calls. `place` is that of the turn, such as `messages[2]`.

    Raises `InvalidRequest` where a call has no name or no arguments.
    """
    calls = [
        _call_text(each.get("function"), f"{place}.tool_calls[{at}].function")
        for at, each in enumerate(tool_calls or ())
    ]
    if function_call is not None:
        calls.append(_call_text(function_call, f"{place}.function_call"))
    return "\n".join([text, *calls] if text else calls)


def result_text(content: str, name: str) -> str:
    """A tool's turn. `content` is the tool's text as it came (tags in it are dealt with here)."""
    result = {"name": name, "content": content} if name else {"content": content}
    return f"{RESPONSE_OPENS}\n{embed(result)}\n{RESPONSE_CLOSES}"


def names_by_id(tool_calls: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """The functions that these calls name, by the calls' ids: a result names only the id."""
    return {
        call["id"]: call["function"]["name"]
        for call in tool_calls or ()
        if isinstance(call.get("id"), str)
        and isinstance(call.get("function"), Mapping)
        and isinstance(call["function"].get("name"), str)
    }


def _call_text(function: object, place: str) -> str:
    name = _string(function, "name", place)
    arguments = _string(function, "arguments", place)
    return f'{CALL_OPENS}\n{{"name": {embed(name)}, "arguments": {_arguments_text(arguments)}}}\n{CALL_CLOSES}'


def _arguments_text(arguments: str) -> str:
    """As they were written; what is no JSON stands as a string."""
    if not arguments.strip():
        return "{}"
    try:
        decode(arguments)
    except BadJSON:
        return embed(arguments)
    return embed_text(arguments.strip())


def _string(function: object, key: str, place: str) -> str:
    value = function.get(key) if isinstance(function, Mapping) else None
    if not isinstance(value, str):
        raise InvalidRequest(f"'{place}.{key}' must be a string.", param=f"{place}.{key}", code="invalid_type")
    return value
