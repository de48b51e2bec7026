"""Calls in an answer as it comes in: text goes out at once, calls as soon as they are closed. No I/O.

What is read: `<tool_call>` (any case), then JSON, then `</tool_call>`. A tag that no JSON follows is text. Tolerated
are code fences around the JSON, a closing tag that is missing, `arguments` as a JSON string, `parameters` in their
place, and several calls in one tag. Text after a call is dropped: OpenAI's content stands before the calls, and models
go on by inventing results.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.api.loose_json import LENIENT, BadJSON, decode, encode, in_a_row
from gateway.api.repairs import repair_prompt
from gateway.api.tags import CALL_CLOSES, CALL_OPENS
from gateway.api.tools import Toolbox

OPENING = re.compile(re.escape(CALL_OPENS), re.IGNORECASE)
MAX_CALLS = 128
"""Of one answer."""
MAX_BLANK = 200
"""Characters of white space in a row that may be held."""
MAX_AT_ONCE = 4096
"""Characters: what is held is copied at every tag."""
JSON_BEGINS = re.compile(r"\s{0,200}(?:```\w{0,20}\s{0,200})?[\[{]")
JSON_MAY_BEGIN = re.compile(r"\s{0,200}(?:`{0,2}|```\w{0,20}\s{0,200})")
BOUNDARY = re.compile(r"</?tool_call>", re.IGNORECASE)
QUOTE_OR_BOUNDARY = re.compile(r'"|</?tool_call>', re.IGNORECASE)
QUOTE_OR_ESCAPE = re.compile(r'"|\\.', re.DOTALL)


@dataclass(frozen=True)
class ToolCall:
    """`arguments` is JSON that fits the function's schema."""

    name: str
    arguments: str = field(repr=False)
    id: str = field(default_factory=lambda: f"call_{secrets.token_hex(12)}")

    def function(self) -> dict[str, str]:
        return {"name": self.name, "arguments": self.arguments}

    def deltas(self, index: int, *, legacy: bool = False) -> list[dict[str, Any]]:
        """The `delta`s of its chunks: the name first, then the arguments."""
        head = {"name": self.name, "arguments": ""}
        rest = {"arguments": self.arguments}
        if legacy:
            return [{"function_call": head}, {"function_call": rest}]
        first = {"index": index, "id": self.id, "type": "function", "function": head}
        return [{"tool_calls": [first]}, {"tool_calls": [{"index": index, "function": rest}]}]


@dataclass(frozen=True)
class Broken:
    """What was meant as a call and is none. `reason` may quote it: for the model only."""

    raw: str = field(repr=False)
    reason: str = field(repr=False)


Item = str | ToolCall
"""A piece of text, or a call."""


def message_fields(calls: Sequence[ToolCall], *, legacy: bool = False) -> dict[str, Any]:
    """The fields of a whole `message` that hold its calls, of which there is at least one."""
    if legacy:
        return {"function_call": calls[0].function()}
    return {"tool_calls": [{"id": call.id, "type": "function", "function": call.function()} for call in calls]}


class CallReader:
    """Feed it one answer, then `finish()` it; where it then `wants_repair`, end with `repaired()`."""

    def __init__(self, toolbox: Toolbox) -> None:
        self.calls: list[ToolCall] = []
        self.broken: list[Broken] = []
        self._toolbox = toolbox
        self._answer: list[str] = []
        self._items: list[Item] = []
        self._given = False
        # What has not been given out and is not held: it becomes text where no call comes of it.
        self._rest: list[str] = []
        self._withheld = toolbox.must_call
        self._held = ""
        self._tag = ""
        self._body: list[str] = []
        self._quoted = False
        self._heeds_quotes = True
        self._step: Callable[[], bool] = self._read_text

    def feed(self, text: str) -> list[Item]:
        """What is clear now, in order. With `must_call` no text is given out."""
        self._answer.append(text)
        self._push(text)
        return self._taken()

    def finish(self) -> list[Item]:
        """What was still held. A call whose closing tag is missing ends here."""
        while self._held or self._step != self._read_text:
            self._end()
        if self._toolbox.must_call and not self.calls and not self.broken:
            self._settle_bare()
        return self._taken()

    @property
    def wants_repair(self) -> bool:
        """Whether one more turn may bring what is missing. For a finished reader."""
        return bool(self.broken) or (self._toolbox.must_call and not self.calls)

    def repair_prompt(self, prompt: str) -> str:
        """The prompt of the repair turn. `prompt` is the one that was answered, as `flatten` made it."""
        return repair_prompt(prompt, "".join(self._answer), self._complaint())

    def repaired(self, answer: str) -> list[Item]:
        """The calls of the repair turn's answer; what is broken for good, as text before them.

        `answer` is "" where there was no repair turn: nothing of the first answer gets lost.
        """
        calls = _calls_in(answer, self._toolbox)
        if self.broken:
            calls = calls[: len(self.broken)]
        self.calls += calls
        unrepaired = [broken.raw for broken in self.broken[len(calls) :]]
        lost = "\n".join(unrepaired) if self.calls else "".join(self._rest)
        return [lost, *calls] if lost else [*calls]

    def _push(self, text: str) -> None:
        for at in range(0, len(text), MAX_AT_ONCE):
            self._held += text[at : at + MAX_AT_ONCE]
            while self._step():
                pass

    def _taken(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def _read_text(self) -> bool:
        """Text up to the next opening tag, or up to what may be the beginning of one."""
        found = None if self._is_full() else OPENING.search(self._held)
        clear = found.start() if found else len(self._held) - _possible_tag(self._held, CALL_OPENS)
        before, held = self._held[:clear], self._held[clear:]
        if self._given or before.strip() or len(before) > MAX_BLANK:
            self._text(before)
            before, self._held = "", held
        if found:
            # White space that begins an answer is no content beside a call: it shares the fate of the tag.
            self._tag, self._held = before + found[0], held[len(found[0]) :]
            self._step = self._read_beginning
        return bool(found)

    def _read_beginning(self) -> bool:
        """After an opening tag: whether JSON follows."""
        if JSON_BEGINS.match(self._held):
            self._body, self._quoted, self._step = [], False, self._read_body
            return True
        if JSON_MAY_BEGIN.fullmatch(self._held):
            return False
        self._text(self._tag)
        self._step = self._read_text
        return True

    def _read_body(self) -> bool:
        """Up to the next tag that does not stand inside a JSON string."""
        at = 0
        while found := self._token().search(self._held, at):
            if found[0].startswith("<"):
                self._body.append(self._held[: found.start()])
                self._held = self._held[found.start() :]
                self._close()
                return True
            self._quoted ^= found[0] == '"'
            at = found.end()
        clear = len(self._held) - self._unclear_end(at)
        self._body.append(self._held[:clear])
        self._held = self._held[clear:]
        return False

    def _token(self) -> re.Pattern[str]:
        if self._quoted:
            return QUOTE_OR_ESCAPE
        return QUOTE_OR_BOUNDARY if self._heeds_quotes else BOUNDARY

    def _unclear_end(self, at: int) -> int:
        """How many characters at the end may be half a tag, or half an escape."""
        tail = self._held[at:]
        if self._quoted:
            return int(tail.endswith("\\"))
        return max(_possible_tag(tail, CALL_OPENS), _possible_tag(tail, CALL_CLOSES))

    def _close(self) -> None:
        """At a tag, after a body. An opening tag is left to be read."""
        body, closing = "".join(self._body), ""
        if self._held.startswith("</"):
            closing, self._held = self._held[: len(CALL_CLOSES)], self._held[len(CALL_CLOSES) :]
        self._settle(body, self._tag + body + closing)
        self._step = self._read_text

    def _end(self) -> None:
        """The end of the answer, in the middle of something."""
        held, self._held = self._held, ""
        if self._step == self._read_body:
            body = "".join(self._body) + held
            if self._quoted and BOUNDARY.search(body):
                # A quote that nothing closes hides all later tags: read again without heeding quotes.
                self._body, self._quoted, self._heeds_quotes = [], False, False
                self._push(body)
                return
            self._settle(body, self._tag + body)
        else:
            tag = self._tag if self._step == self._read_beginning else ""
            self._text(tag + held)
        self._step = self._read_text

    def _text(self, text: str) -> None:
        if self._withheld or self.calls or self.broken:
            self._rest.append(text)
        elif text:
            self._given = True
            self._items.append(text)

    def _is_full(self) -> bool:
        """Whether no more calls count: of parallel calls that are not wanted, only the first does."""
        return len(self.calls) + len(self.broken) >= (1 if self._toolbox.one_call else MAX_CALLS)

    def _settle_bare(self) -> None:
        """A call that is owed may have come without its tags."""
        text = "".join(self._rest)
        if JSON_BEGINS.match(text):
            self._settle(text, "")

    def _settle(self, body: str, raw: str) -> None:
        self._rest.append(raw)
        for value, text in in_a_row(body):
            for each in value if isinstance(value, list) and value else [value]:
                self._settle_one(each, text)

    def _settle_one(self, value: object, text: str) -> None:
        if self._is_full():
            return
        try:
            call = _call(value, self._toolbox)
        except _Fault as error:
            self.broken.append(Broken(f"{CALL_OPENS}{text}{CALL_CLOSES}", str(error)))
        else:
            self.calls.append(call)
            self._items.append(call)

    def _complaint(self) -> str:
        if not self.broken:
            return MISSING
        faults = [f"{number}. {broken.reason}" for number, broken in enumerate(self.broken, 1)]
        return "\n".join([f"{len(faults)} of your function calls cannot be used:", *faults, CORRECTED])


MISSING = (
    "Your last answer calls no function, but it must. Write the call now, "
    f"inside {CALL_OPENS}{CALL_CLOSES} tags as described above, and nothing else."
)
CORRECTED = (
    f"Write only these calls again, corrected, in the same order, each inside {CALL_OPENS}{CALL_CLOSES} tags "
    "as described above, and nothing else."
)


def _calls_in(answer: str, toolbox: Toolbox) -> list[ToolCall]:
    reader = CallReader(replace(toolbox, must_call=True))
    reader.feed(answer)
    reader.finish()
    return reader.calls


class _Fault(Exception):
    """Why it is no call."""


def _call(value: object, toolbox: Toolbox) -> ToolCall:
    """Raises `_Fault` where it is none that the client could run."""
    if isinstance(value, BadJSON):
        raise _Fault(f"The call is not valid JSON: {value}.")
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise _Fault('A call must be a JSON object with "name" and "arguments".')
    tool = toolbox.tools.get(value["name"])
    if tool is None:
        raise _Fault(f"There is no such function to call. There are: {', '.join(toolbox.tools)}.")
    arguments = _arguments(value)
    if mismatch := tool.schema.mismatch(arguments):
        raise _Fault(f"The arguments of {tool.name} do not fit its parameters: {mismatch.reason}.")
    return ToolCall(tool.name, encode(arguments))


def _arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments = decode(arguments, LENIENT)
        except BadJSON as error:
            raise _Fault(f"The arguments are not valid JSON: {error}.") from None
    if arguments in (None, ""):
        return {}
    if not isinstance(arguments, dict):
        raise _Fault("The arguments must be a JSON object.")
    return arguments


def _possible_tag(text: str, tag: str) -> int:
    """How many characters at the end may be the beginning of the tag."""
    at = text.rfind("<")
    return len(text) - at if at >= 0 and tag.startswith(text[at:].lower()) else 0
