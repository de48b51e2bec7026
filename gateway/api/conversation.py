"""A conversation as OpenAI clients send it, as the one text (and the images) that the school takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.api.parts import ContentReader
from gateway.api.replies import Wanted
from gateway.api.tags import neutralise
from gateway.api.toolhistory import calls_text, names_by_id, result_text
from gateway.attachments.images import ImageSource
from gateway.errors import InvalidRequest
from gateway.school.prompt import LABELS, Message, flatten

OPENERS = ("system", "developer")


class Turn(msgspec.Struct):
    """One of `messages`. Other fields of a turn (`reasoning_content`, …) are ignored."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True)
class Places:
    """How errors name the parts of a request: by the parameters that its client sent."""

    turns: str = "messages"
    each_turn: tuple[str, ...] = ()
    format: str = "response_format"
    web_search: str = "web_search_options"
    effort: str = "reasoning_effort"

    def turn(self, at: int) -> str:
        return self.each_turn[at] if self.each_turn else f"{self.turns}[{at}]"


def conversation(turns: Sequence[Turn], wanted: Wanted, places: Places = Places()) -> tuple[str, list[ImageSource]]:
    """The text that the school takes, and the images in their order. Raises `InvalidRequest` naming the parameter.

    What the model is told of the tools stands behind the client's own opening instructions, what it is told of the
    answer's form at the very end. Where tools are spoken of, tags in other people's texts are neutralised.
    """
    reader = ContentReader()
    has_tools = wanted.toolbox is not None or any(_speaks_of_tools(turn) for turn in turns)
    names: dict[str, str] = {}
    messages: list[Message] = []
    for at, turn in enumerate(turns):
        names |= names_by_id(turn.tool_calls)
        messages.append(_message(turn, places.turn(at), reader, names, has_tools=has_tools))
    if not any(message.text.strip() for message in messages):
        raise InvalidRequest(f"There is no text in '{places.turns}'.", param=places.turns)
    if wanted.toolbox is not None:
        openers = next((at for at, turn in enumerate(turns) if turn.role not in OPENERS), len(turns))
        messages.insert(openers, Message("system", wanted.toolbox.instructions()))
    if wanted.format is not None:
        messages.append(Message("system", wanted.format.instructions()))
    return flatten(messages), reader.images


def _speaks_of_tools(turn: Turn) -> bool:
    return bool(turn.tool_calls or turn.function_call or turn.role in ("tool", "function"))


def _message(turn: Turn, place: str, reader: ContentReader, names: dict[str, str], *, has_tools: bool) -> Message:
    if turn.role not in LABELS:
        raise InvalidRequest(f"'{place}.role' must be one of {', '.join(LABELS)}.", param=f"{place}.role")
    text = "" if turn.content is None else reader.read(turn.content, f"{place}.content")
    if turn.role in ("tool", "function"):
        return Message(turn.role, result_text(text, turn.name or names.get(turn.tool_call_id or "", "")))
    if has_tools and turn.role != "assistant":
        text = neutralise(text)
    if turn.tool_calls or turn.function_call:
        text = calls_text(text, place, turn.tool_calls, turn.function_call)
    return Message(turn.role, text, turn.name or "")
