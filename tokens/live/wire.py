"""What travels between the member's page and a live login's worker: acts one way, the other pictures (JPEG) and what
stands beside them.

Acts are JSON objects, each a kind of its own with nothing unknown in it. Places are fractions of the picture, so that a
page may draw it in any size. Only what a sign-on needs can be said: the left button, text, and the keys that move,
erase and confirm; no shortcut that Chrome itself would take.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

DIAL_HEADER = "x-live-secret"
"""In which the worker brings the attempt's secret."""

MAX_PICTURE_BYTES = 600_000
MAX_ACT_BYTES = 2_000
MAX_SAID_BYTES = 8_000

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Distance = Annotated[float, Meta(ge=-2000.0, le=2000.0)]
Typed = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
KeyName = Literal[
    "Enter",
    "Tab",
    "Backspace",
    "Delete",
    "Escape",
    "SelectAll",
    "ArrowLeft",
    "ArrowRight",
    "ArrowUp",
    "ArrowDown",
    "Home",
    "End",
    "PageUp",
    "PageDown",
]


class _Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Move(_Act, frozen=True, tag="move"):
    x: Fraction
    y: Fraction


class Press(_Act, frozen=True, tag="press"):
    """The left button goes down; the second of a double click has `clicks` 2."""

    x: Fraction
    y: Fraction
    clicks: Annotated[int, Meta(ge=1, le=3)] = 1


class Release(_Act, frozen=True, tag="release"):
    x: Fraction
    y: Fraction
    clicks: Annotated[int, Meta(ge=1, le=3)] = 1


class Wheel(_Act, frozen=True, tag="wheel"):
    x: Fraction
    y: Fraction
    dx: Distance = 0.0
    dy: Distance = 0.0


class Key(_Act, frozen=True, tag="key"):
    name: KeyName
    shift: bool = False


class Text(_Act, frozen=True, tag="text"):
    text: Typed


class Size(_Act, frozen=True, tag="size"):
    """How much room the page has for the picture, in CSS pixels, and how many pixels its screen has for one."""

    width: Annotated[int, Meta(ge=320, le=1600)]
    height: Annotated[int, Meta(ge=320, le=1600)]
    ratio: Annotated[float, Meta(ge=1.0, le=2.0)] = 1.0


class Answer(_Act, frozen=True, tag="answer"):
    """To the dialog of that number: OK or Cancel, and what was written into a prompt."""

    number: int
    accept: bool
    text: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z")] = ""


class Stop(_Act, frozen=True, tag="stop"):
    pass


class Here(_Act, frozen=True, tag="here"):
    """Somebody watches. `new`: with a page that has no picture yet."""

    new: bool = False


Act = Move | Press | Release | Wheel | Key | Text | Size | Answer | Stop | Here


class Dialog(msgspec.Struct, frozen=True):
    """A box that the school's page has opened with `alert`, `confirm` or `prompt`: until it is answered, nothing else
    can be done.
    """

    number: int
    kind: Literal["alert", "confirm", "prompt"]
    text: Annotated[str, Meta(max_length=500)]
    default: Annotated[str, Meta(max_length=200)] = ""


class Said(msgspec.Struct, frozen=True):
    """What stands beside the picture. `is_wide`: the school's page is wider than what is seen of it."""

    dialog: Dialog | None = None
    is_wide: bool = False
    is_gone: bool = False
    """The browser has gone without a word: no more comes."""


_decoder = msgspec.json.Decoder(Act)
_said_decoder = msgspec.json.Decoder(Said)
encode = msgspec.json.encode


def decode(text: str | bytes) -> Act:
    """One act. Raises `msgspec.DecodeError`."""
    act: Act = _decoder.decode(text)
    return act


def decode_said(text: str | bytes) -> Said:
    """What a worker tells. Raises `msgspec.DecodeError`."""
    said: Said = _said_decoder.decode(text)
    return said
