"""The frames of a completion's stream: bytes to events. Nothing here reads or writes.

The framing is that of server-sent events (WHATWG HTML, "Server-sent events", section "Interpreting an event stream"):
UTF-8 with an optional BOM; lines end by LF, CRLF or CR; a blank line ends an event; several `data` lines are joined by
LF; lines that begin with a colon are comments. What the data means is the school's (protocol page).
"""

from __future__ import annotations

import codecs
import json
from typing import Any

import msgspec
import orjson

from gateway.errors import SchoolMalformed
from gateway.school.refusals import school_code

MAX_EVENT_CHARACTERS = 8 * 1024 * 1024

_SUMMARY_FIELDS = {"aiText", "promptTokens", "completionTokens"}


class _Event(msgspec.Struct, frozen=True, gc=False):
    def __repr__(self) -> str:
        """Only the kind: an answer's text must not reach a log."""
        return f"<{type(self).__name__}>"


class Piece(_Event, frozen=True, gc=False):
    """A piece of the answer, never empty."""

    text: str


class Reasoning(_Event, frozen=True, gc=False):
    """A piece of the model's reasoning, never empty."""

    text: str


class Summary(_Event, frozen=True, gc=False):
    """The whole answer once more, or "". A count is None when the school gave none: missing, unreadable or 0."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Done(_Event, frozen=True, gc=False):
    """`[DONE]`."""


class Failure(_Event, frozen=True, gc=False):
    """An error in mid-stream. `message` is the school's and may echo the prompt."""

    code: int | str
    message: str


Event = Piece | Reasoning | Summary | Done | Failure


class SseDecoder:
    """Cuts a byte stream, fed in chunks of any size, into the data of its events."""

    def __init__(self, max_event_characters: int = MAX_EVENT_CHARACTERS) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._after_cr = False
        self._line: list[str] = []
        self._data: list[str] = []
        self._size = 0
        self._max_size = max_event_characters

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that `chunk` completes, in order. Raises SchoolMalformed when one is too large."""
        return self._lines(self._with_line_feeds(self._utf8.decode(chunk)))

    def flush(self) -> list[str]:
        """At the end of the stream: the data of a last event whose closing blank line is missing.

        The standard drops it. The school's `[DONE]` may end the stream without one, and must count.
        """
        rest = self._with_line_feeds(self._utf8.decode(b"", final=True))
        return self._lines(f"{rest}\n\n")

    def _with_line_feeds(self, text: str) -> str:
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
            self._after_cr = False
        if text:
            self._after_cr = text.endswith("\r")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def _lines(self, text: str) -> list[str]:
        events: list[str] = []
        first, *others = text.split("\n")
        self._line.append(first)
        self._size += len(text)
        if others:
            *lines, unfinished = "".join(self._line), *others
            self._line = [unfinished]
            for line in lines:
                if line:
                    self._field(line)
                else:
                    events += self._end_event()
                    self._size = len(unfinished)
        if self._size > self._max_size:
            raise SchoolMalformed("The school sent an event that is too large.")
        return events

    def _field(self, line: str) -> None:
        if line.startswith("data:"):
            self._data.append(line[6:] if line.startswith("data: ") else line[5:])
        elif line == "data":
            self._data.append("")

    def _end_event(self) -> list[str]:
        if not self._data:
            return []
        event = "\n".join(self._data)
        self._data = []
        return [event]


def parse(data: str) -> list[Event]:
    """The events of one frame: none for one of an unknown kind, two for one with both reasoning and answer.

    Raises SchoolMalformed for a broken JSON object, because a piece of the answer would be missing without a word.
    """
    data = data.strip()
    if not data.startswith("{"):
        return [Done()] if data == "[DONE]" else []
    frame = _load(data)
    code = school_code(frame.get("code"))
    if code != 0:
        return [Failure(code, str(frame.get("msg") or frame.get("message") or ""))]
    return _reasoning(frame) + _content(frame)


def _reasoning(frame: dict[str, Any]) -> list[Event]:
    text = frame.get("reasoning_data")
    return [Reasoning(text)] if isinstance(text, str) and text else []


def _content(frame: dict[str, Any]) -> list[Event]:
    data = frame.get("data")
    if isinstance(data, str):
        return [Piece(data)] if data and frame.get("type") in ("string", None) else []
    if isinstance(data, dict) and not _SUMMARY_FIELDS.isdisjoint(data):
        return [_summary(data)]
    return []


def _summary(data: dict[str, Any]) -> Summary:
    text = data.get("aiText")
    return Summary(
        text if isinstance(text, str) else "", _count(data.get("promptTokens")), _count(data.get("completionTokens"))
    )


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) or None if value > 0 else None


def _load(data: str) -> dict[str, Any]:
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError:
        frame = _load_with_lone_surrogates(data)
    return frame if isinstance(frame, dict) else {}


def _load_with_lone_surrogates(data: str) -> Any:
    """A JavaScript server that cuts an emoji in two writes half of it as `\\ud83d`: JSON, but not Unicode text."""
    try:
        whole = json.dumps(json.loads(data), ensure_ascii=False)
    except ValueError:
        raise SchoolMalformed("The school sent an event that cannot be read.") from None
    return orjson.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
