r"""Directives in a prompt, which steer its answer: `[[sim key=value key="quoted \n value" flag]]`.

The last directive of a text wins; unknown keys are ignored. The keys are listed in the package's docstring.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ITEM = r'[a-z_]+(?:=(?:"(?:[^"\\]|\\.)*"|[^\s"\]]+))?'
_DIRECTIVE = re.compile(rf"\[\[sim((?:\s+{_ITEM})*)\s*\]\]", re.DOTALL)
_KEY_VALUE = re.compile(r'([a-z_]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"\]]+)))?', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Directive:
    """What the prompt asks for; None and False mean that it does not say."""

    pieces: int | None = None
    delay_ms: float = 0.0
    first_delay_ms: float = 0.0
    text: str | None = None
    reasoning: str | None = None
    cut_after: int | None = None
    abort_after: int | None = None
    error_after: int | None = None
    error_code: int = 10008
    empty: bool = False
    no_done: bool = False
    no_summary: bool = False
    hold: bool = False
    plain: bool = False
    echo: bool = False


_NUMBERS = {"pieces", "cut_after", "abort_after", "error_after", "error_code"}
_DURATIONS = {"delay_ms", "first_delay_ms"}
_TEXTS = {"text", "reasoning"}
_FLAGS = {"empty", "no_done", "no_summary", "hold", "plain", "echo"}


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2]), text)


def parse(text: str) -> Directive:
    """Return the last directive of `text`; raise ValueError when one of its numbers is none."""
    found = _DIRECTIVE.findall(text)
    return _directive(found[-1]) if found else Directive()


def _directive(items: str) -> Directive:
    values: dict[str, int | float | str | bool] = {}
    for key, quoted, bare in _KEY_VALUE.findall(items):
        if key in _NUMBERS:
            values[key] = int(bare)
        elif key in _DURATIONS:
            values[key] = float(bare)
        elif key in _TEXTS:
            values[key] = bare or _unescaped(quoted)
        elif key in _FLAGS:
            values[key] = True
    return Directive(**values)  # type: ignore[arg-type]
