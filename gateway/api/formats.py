"""Structured output: the form that a client wants the answer in, asked for in the prompt and checked afterwards."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.api import repairs
from gateway.api.loose_json import BadJSON, anywhere, decode, encode
from gateway.api.schemas import Mismatch, Schema, compiled
from gateway.api.tags import embed
from gateway.errors import GatewayError, InvalidRequest

MAX_ANSWER_CHARS = 1_000_000
MAX_CANDIDATES = 50
THOUGHT_ENDS = re.compile("</think>")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ONLY_JSON = "Write nothing but the JSON: no code fence, no text before or after it."


class InvalidStructuredOutput(GatewayError):
    """The answer does not fit `response_format`, also after its repair turn."""

    status = 502
    code = "invalid_structured_output"
    permanent = True

    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(
            f"The model's answer does not fit the form that was asked for, also when asked again: {mismatch.rule}."
        )


@dataclass(frozen=True)
class Format:
    """JSON that fits `schema`; without one, any JSON object."""

    schema: Schema | None = None
    name: str = ""
    description: str = ""

    def instructions(self) -> str:
        """What the model is told, as a system message of its own."""
        if self.schema is None:
            return f"Answer with one JSON object. {ONLY_JSON}"
        about = f" ({self.description})" if self.description else ""
        intro = f"Answer with JSON named {self.name}{about} that fits this JSON schema:"
        return "\n".join([intro, embed(self.schema.source), ONLY_JSON])

    def check(self, answer: str) -> str | Mismatch:
        """The JSON of an answer as the model wrote it, without what stands around it; or why there is none.

        Of several values the longest that fits is taken.
        """
        if len(answer) > MAX_ANSWER_CHARS:
            return Mismatch(TOO_LONG, TOO_LONG)
        first: Mismatch | None = None
        for value, text in islice(candidates(answer), MAX_CANDIDATES):
            mismatch = self._mismatch(value)
            if mismatch is None:
                return text
            first = first or mismatch
        return first or Mismatch(NO_JSON, NO_JSON)

    def _mismatch(self, value: object) -> Mismatch | None:
        try:
            encode(value)
        except BadJSON as error:
            return Mismatch(str(error), str(error))
        if self.schema is not None:
            return self.schema.mismatch(value)
        return None if isinstance(value, dict) else Mismatch(NO_OBJECT, NO_OBJECT)


NO_JSON = "it holds no complete JSON"
NO_OBJECT = "it is not a JSON object"
TOO_LONG = f"it is longer than {MAX_ANSWER_CHARS:,} characters"


def format_of(response_format: Mapping[str, Any] | None, place: str = "response_format") -> Format | None:
    """None for plain text. Raises `InvalidRequest` naming the field under `place`.

    The fields of a `json_schema` may also stand flat beside `type`, as in `text.format` of the Responses API.
    """
    kind = "text" if response_format is None else response_format.get("type")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        raise InvalidRequest(f"'{place}.type' must be one of text, json_object, json_schema.", param=f"{place}.type")
    inner = response_format.get("json_schema")
    if isinstance(inner, Mapping):
        return _with_schema(inner, f"{place}.json_schema")
    if "schema" in response_format or "name" in response_format:
        return _with_schema(response_format, place)
    raise InvalidRequest(
        f"Missing required parameter: '{place}.json_schema'.",
        param=f"{place}.json_schema",
        code="missing_required_parameter",
    )


def _with_schema(fields: Mapping[str, Any], place: str) -> Format:
    name, description = fields.get("name"), fields.get("description")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidRequest(
            f"'{place}.name' must be 1 to 64 letters, digits, underscores or hyphens.", param=f"{place}.name"
        )
    if not isinstance(description, str | None):
        raise InvalidRequest(
            f"'{place}.description' must be a string.", param=f"{place}.description", code="invalid_type"
        )
    return Format(compiled(fields.get("schema", {"type": "object"}), param=f"{place}.schema"), name, description or "")


def candidates(answer: str) -> Iterator[tuple[object, str]]:
    """The JSON values in an answer with their text, the likeliest first: all of it, else the longest to the shortest.

    What a model thinks aloud, up to a `</think>`, counts only where nothing follows it.
    """
    try:
        yield decode(answer), answer.strip()
        return
    except BadJSON:
        pass
    found = list(anywhere(answer))
    thought = _end_of_thought(answer, [(start, end) for _, start, end in found])
    said = [each for each in found if each[1] >= thought] or found
    for value, start, end in sorted(said, key=lambda each: each[1] - each[2]):
        yield value, answer[start:end]


def _end_of_thought(answer: str, values: Sequence[tuple[int, int]]) -> int:
    """Where the last `</think>` ends that stands outside all values; 0 without one."""
    starts = [start for start, _ in values]
    thought = 0
    for tag in THOUGHT_ENDS.finditer(answer):
        before = bisect_right(starts, tag.start())
        if before == 0 or values[before - 1][1] <= tag.start():
            thought = tag.end()
    return thought


def repair_prompt(prompt: str, answer: str, mismatch: Mismatch) -> str:
    """The prompt of the one repair turn. `prompt` is the one that was answered, as `flatten` made it."""
    complaint = f"Your last answer cannot be used: {mismatch.reason}. Write it again, corrected. {ONLY_JSON}"
    return repairs.repair_prompt(prompt, answer, complaint)
