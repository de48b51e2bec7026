"""JSON as models write it: in chatter and code fences, several values in a row. No text takes more than a moment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 100
"""Levels of nesting of a value."""
MAX_DIGITS = 400
"""A longer integer is read as infinity, and refused as such."""

MAX_TRIES = 1000
"""Beginnings of values that turned out to be none, of one text: each costs the length of the text."""

VALUE_BEGINS = re.compile(r"[\[{]")
VALUE_MAY_BEGIN = re.compile(r'\{(?=\s*["}])|\[(?=\s*[\]\[{"\-\dtfn])')
BETWEEN_VALUES = re.compile(r"(?:[\s,]|```\w*)*")


class BadJSON(ValueError):
    """No JSON that can be used. The words name the place and the fault, and quote nothing."""


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")


STRICT = json.JSONDecoder(parse_int=_integer)
# Models write line breaks into strings as they are.
LENIENT = json.JSONDecoder(parse_int=_integer, strict=False)


def depth(value: object) -> int:
    """Levels of nesting: 1 for a scalar, 2 for a list of scalars."""
    level, levels = [value], 0
    while level:
        levels += 1
        level = [child for parent in level for child in children(parent)]
    return levels


def children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def encode(value: object) -> str:
    """The value in JSON's shortest form. Raises `BadJSON` where another parser might not read it."""
    if depth(value) > MAX_DEPTH:
        raise BadJSON(f"it is nested more than {MAX_DEPTH} levels deep")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:
        raise BadJSON("a string holds half a surrogate pair") from None
    except ValueError:
        raise BadJSON("a number is not finite") from None
    return text


def decode(text: str, decoder: json.JSONDecoder = STRICT) -> object:
    """The one value that `text` is, white space around it allowed. Raises `BadJSON`."""
    value, end = decode_at(text, len(text) - len(text.lstrip()), decoder)
    if text[end:].strip():
        raise BadJSON("there is more text after the JSON")
    return value


def decode_at(text: str, at: int, decoder: json.JSONDecoder = STRICT) -> tuple[object, int]:
    """The value that begins at `at`, and where it ends. Raises `BadJSON`."""
    try:
        value, end = decoder.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise BadJSON(f"{error.msg} (at character {error.pos - at})") from None
    except RecursionError:
        raise BadJSON("it is nested too deep") from None
    encode(value)
    return value, end


def in_a_row(text: str) -> Iterator[tuple[object, str]]:
    """The objects and lists that `text` begins with, each with its own text; whatever else follows is left alone.

    Where one cannot be read, a `BadJSON` stands in place of its value and the rest of the text is its text.
    """
    at = _skip(text, 0)
    while VALUE_BEGINS.match(text, at):
        try:
            value, end = decode_at(text, at, LENIENT)
        except BadJSON as error:
            yield error, text[at:]
            return
        yield value, text[at:end]
        at = _skip(text, end)


def anywhere(text: str) -> Iterator[tuple[object, int, int]]:
    """All objects and lists in `text`, outermost only, each with where it begins and ends."""
    at = tries = 0
    while tries < MAX_TRIES and (found := VALUE_MAY_BEGIN.search(text, at)):
        at = found.start()
        try:
            value, end = STRICT.raw_decode(text, at)
        except json.JSONDecodeError as error:
            # What lies inside a broken value is no answer of its own.
            at = max(error.pos, at + 1)
            tries += 1
        except RecursionError:
            return
        else:
            yield value, at, end
            at = end


def _skip(text: str, at: int) -> int:
    found = BETWEEN_VALUES.match(text, at)
    return found.end() if found else at
