"""Which key of a US keyboard writes a character, in the words of Chrome's own input events."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase
from typing import Any

SHIFT = 8
DIGITS_WITH_SHIFT = ")!@#$%^&*("

# Name of the key: Windows' virtual key code, and what it writes without and with Shift.
PUNCTUATION = {
    "Space": (32, "  "),
    "Semicolon": (186, ";:"),
    "Equal": (187, "=+"),
    "Comma": (188, ",<"),
    "Minus": (189, "-_"),
    "Period": (190, ".>"),
    "Slash": (191, "/?"),
    "Backquote": (192, "`~"),
    "BracketLeft": (219, "[{"),
    "Backslash": (220, "\\|"),
    "BracketRight": (221, "]}"),
    "Quote": (222, "'\""),
}


def _keys() -> Iterator[tuple[str, int, str]]:
    yield from ((f"Key{letter.upper()}", ord(letter.upper()), letter + letter.upper()) for letter in ascii_lowercase)
    yield from ((f"Digit{digit}", ord(f"{digit}"), f"{digit}{DIGITS_WITH_SHIFT[digit]}") for digit in range(10))
    yield from ((name, code, written) for name, (code, written) in PUNCTUATION.items())


WRITING: dict[str, dict[str, Any]] = {
    character: {
        "key": character,
        "text": character,
        "code": name,
        "windowsVirtualKeyCode": code,
        "modifiers": modifiers,
    }
    for name, code, written in _keys()
    for character, modifiers in zip(reversed(written), (SHIFT, 0), strict=True)
}
"""The key that writes each printable character of ASCII."""
