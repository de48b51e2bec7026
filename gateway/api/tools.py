"""The tools that a client offers, checked, and how the model is told of them: the school itself has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.api.loose_json import BadJSON, encode
from gateway.api.schemas import MAX_PATTERNS, Schema, compiled
from gateway.api.tags import CALL_CLOSES, CALL_OPENS, RESPONSE_CLOSES, RESPONSE_OPENS, TOOLS_CLOSE, TOOLS_OPEN, embed
from gateway.errors import InvalidRequest

MAX_TOOLS = 128
MAX_CHARS = 1_000_000
"""Of all tools together, as JSON."""
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
CHOICES = ("none", "auto", "required")


@dataclass(frozen=True)
class Tool:
    """A function of the client's. `schema` is that of its arguments, always an object."""

    name: str
    description: str = field(repr=False)
    schema: Schema

    def signature(self) -> str:
        """One line of JSON, as OpenAI writes a tool."""
        function = {"name": self.name, "description": self.description, "parameters": self.schema.source}
        return embed({"type": "function", "function": function})


@dataclass(frozen=True)
class Toolbox:
    """The tools that may be called now, by name.

    `must_call`: an answer without a call is none. `one_call`: only the first call of an answer counts. `legacy`: the
    client sent `functions`.
    """

    tools: Mapping[str, Tool] = field(repr=False)
    must_call: bool = False
    one_call: bool = False
    legacy: bool = False

    @property
    def finish_reason(self) -> str:
        """That of an answer with calls."""
        return "function_call" if self.legacy else "tool_calls"

    def instructions(self) -> str:
        """What the model is told, as a system message of its own."""
        return "\n".join([*self._signatures(), *FORM, self._how_many(), self._whether(), RESULTS])

    def _signatures(self) -> list[str]:
        signatures = [tool.signature() for tool in self.tools.values()]
        intro = (
            f"You can call functions. Their signatures, one JSON object a line, stand inside {TOOLS_OPEN}{TOOLS_CLOSE}:"
        )
        return [intro, TOOLS_OPEN, *signatures, TOOLS_CLOSE]

    def _how_many(self) -> str:
        if self.one_call:
            return "Call one function only: write one such block and then stop."
        return "To call several functions, write several such blocks, one after another, and then stop."

    def _whether(self) -> str:
        if not self.must_call:
            return "Call a function when it helps with the request; otherwise answer in plain text without these tags."
        if len(self.tools) == 1:
            return f"In this answer you must call the function {next(iter(self.tools))}. Write nothing but the call."
        return "In this answer you must call at least one function. Write nothing but the call."


FORM = (
    f"To call a function, write its name and its arguments as one JSON object inside {CALL_OPENS}{CALL_CLOSES} tags:",
    CALL_OPENS,
    '{"name": "the function\'s name", "arguments": {"parameter": "value"}}',
    CALL_CLOSES,
    "The arguments must be valid JSON and fit the function's parameters. Put no code fence around the tags.",
)
RESULTS = (
    f"The results are sent to you inside {RESPONSE_OPENS}{RESPONSE_CLOSES} tags. Never write such a result yourself, "
    "and never invent one."
)


def toolbox(
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    parallel_tool_calls: bool | None = None,
    functions: Sequence[Mapping[str, Any]] | None = None,
    function_call: str | Mapping[str, Any] | None = None,
) -> Toolbox | None:
    """The request's fields of these names; None where nothing may be called. Raises `InvalidRequest` naming the field.

    `functions` and `function_call` (legacy) count only where no `tools` are sent. A tool may also be written flat, as
    in the Responses API.
    """
    legacy = bool(functions) and not tools
    _check_size((functions if legacy else tools) or (), "functions" if legacy else "tools")
    if legacy:
        offered = _by_name((_tool(each, f"functions[{at}]") for at, each in enumerate(functions or ())), "functions")
        choice, place = function_call, "function_call"
    else:
        offered = _by_name((_typed_tool(each, f"tools[{at}]") for at, each in enumerate(tools or ())), "tools")
        choice, place = tool_choice, "tool_choice"
    chosen, must_call = _chosen(choice, offered, place, legacy=legacy)
    if not chosen:
        return None
    return Toolbox(chosen, must_call=must_call, one_call=legacy or parallel_tool_calls is False, legacy=legacy)


def _check_size(tools: Sequence[Mapping[str, Any]], place: str) -> None:
    if len(tools) > MAX_TOOLS:
        raise InvalidRequest(
            f"'{place}' may hold at most {MAX_TOOLS} functions.", param=place, code="array_above_max_length"
        )
    try:
        size = len(encode(list(tools)))
    except BadJSON as error:
        raise InvalidRequest(f"'{place}' cannot be used: {error}.", param=place) from None
    if size > MAX_CHARS:
        raise InvalidRequest(f"'{place}' may be at most {MAX_CHARS:,} characters long.", param=place)


def _by_name(tools: Iterable[Tool], place: str) -> dict[str, Tool]:
    by_name: dict[str, Tool] = {}
    for at, tool in enumerate(tools):
        if tool.name in by_name:
            raise InvalidRequest(f"'{place}[{at}]' has the name of an earlier function.", param=f"{place}[{at}]")
        by_name[tool.name] = tool
        if sum(each.schema.patterns for each in by_name.values()) > MAX_PATTERNS:
            raise InvalidRequest(f"The schemas in '{place}' may have {MAX_PATTERNS} patterns together.", param=place)
    return by_name


def _typed_tool(tool: Mapping[str, Any], place: str) -> Tool:
    kind = tool.get("type")
    if kind != "function":
        named = f"'{kind[:50]}' " if isinstance(kind, str) else ""
        raise InvalidRequest(
            f"'{place}' is of a type {named}that is not offered here: only tools of type 'function' are.",
            param=f"{place}.type",
        )
    inner = tool.get("function")
    return _tool(inner, f"{place}.function") if isinstance(inner, Mapping) else _tool(tool, place)


def _tool(function: Mapping[str, Any], place: str) -> Tool:
    name, description, parameters = (function.get(key) for key in ("name", "description", "parameters"))
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidRequest(
            f"'{place}.name' must be 1 to 64 letters, digits, underscores or hyphens.", param=f"{place}.name"
        )
    if not isinstance(description, str | None):
        raise InvalidRequest(
            f"'{place}.description' must be a string.", param=f"{place}.description", code="invalid_type"
        )
    schema = compiled(NO_PARAMETERS if parameters is None else parameters, param=f"{place}.parameters")
    return Tool(name, description or "", schema)


def _chosen(
    choice: str | Mapping[str, Any] | None, offered: Mapping[str, Tool], place: str, *, legacy: bool
) -> tuple[Mapping[str, Tool], bool]:
    """The tools that may be called, and whether one must be."""
    if choice is None or isinstance(choice, str):
        return _by_mode(choice or "auto", offered, place, CHOICES[:2] if legacy else CHOICES)
    if legacy or choice.get("type") == "function":
        name = _name_in(choice, offered, place)
        return {name: offered[name]}, True
    if choice.get("type") == "allowed_tools":
        return _allowed(choice, offered, place)
    raise InvalidRequest(f"'{place}' must be one of {', '.join(CHOICES)}, or name a function.", param=f"{place}.type")


def _by_mode(
    mode: object, offered: Mapping[str, Tool], place: str, modes: Sequence[str] = CHOICES
) -> tuple[Mapping[str, Tool], bool]:
    if mode not in modes:
        raise InvalidRequest(f"'{place}' must be one of {', '.join(modes)}, or name a function.", param=place)
    if mode == "required" and not offered:
        raise InvalidRequest(f"'{place}' needs 'tools' to choose from.", param=place)
    return ({} if mode == "none" else offered), mode == "required"


def _allowed(choice: Mapping[str, Any], offered: Mapping[str, Tool], place: str) -> tuple[Mapping[str, Tool], bool]:
    inner = choice.get("allowed_tools")
    if isinstance(inner, Mapping):
        choice, place = inner, f"{place}.allowed_tools"
    entries = choice.get("tools")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InvalidRequest(f"'{place}.tools' must be a list of tools.", param=f"{place}.tools", code="invalid_type")
    names = [_name_in(entry, offered, f"{place}.tools[{at}]") for at, entry in enumerate(entries)]
    return _by_mode(choice.get("mode", "auto"), {name: offered[name] for name in names}, f"{place}.mode")


def _name_in(choice: Mapping[str, Any], offered: Mapping[str, Tool], place: str) -> str:
    """The name in `{"function": {"name"}}` or, flat, `{"name"}`."""
    inner = choice.get("function")
    if isinstance(inner, Mapping):
        choice, place = inner, f"{place}.function"
    name = choice.get("name")
    if not isinstance(name, str) or name not in offered:
        raise InvalidRequest(f"'{place}.name' must name one of the functions that are sent.", param=f"{place}.name")
    return name
