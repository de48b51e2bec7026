"""What the school refuses, and how it says so (protocol page): by status, by `code`, by text, by its sign-on page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.errors import (
    SchoolError,
    SchoolMalformed,
    SchoolRefused,
    SchoolServerError,
    SchoolTooFast,
    TokenDead,
    TooManySessions,
)

MAX_QUOTED_CHARACTERS = 200

_TOO_FAST_CODES = {429, 10006}
_TOKEN_CODES = {401, 403}
_TOO_FAST_TEXT = "request too fast"
_TOO_MANY_TEXT = re.compile(r"you have created \d+ sessions", re.IGNORECASE)
BLANK = b"\xef\xbb\xbf \t\r\n"
"""The bytes of a BOM and of white space: what may come before an answer's first byte of meaning."""


def school_code(value: object) -> int | str:
    """The `code` of an answer or a frame, which comes as a number or a string; 0, also for none, is success."""
    if isinstance(value, int):
        return int(value)
    text = " ".join(str(value if value is not None else "").split())[:20]
    return int(text) if text.isascii() and text.isdigit() else text or 0


def refusal(code: int | str, message: str) -> SchoolRefused | None:
    """The refusal that a code or its text stands for; None for one that is not known to be safe to repeat.

    The texts count under any code: the school has sent them with several.
    """
    if code in _TOO_FAST_CODES or _TOO_FAST_TEXT in message.lower():
        return SchoolTooFast(
            "The school takes no more calls of this account at the moment. Try again in a few seconds."
        )
    if _TOO_MANY_TEXT.search(message):
        return TooManySessions("The school's limit of chat sessions of this account is reached. Try again later.")
    if code in _TOKEN_CODES:
        return token_dead()
    return None


def token_dead() -> TokenDead:
    return TokenDead("The school's login of this account has ended. It is logged in again; try again in a minute.")


def failed(code: int | str, message: str, *, secrets: Iterable[str] = ()) -> SchoolError:
    """An error with a code of no known meaning. `message` is the school's text: pass "" where it may echo a prompt."""
    said = quotable(message, secrets)
    return SchoolError(f"The school reported an error (code {code})" + (f": {said}" if said else "."))


def quotable(message: str, secrets: Iterable[str]) -> str:
    """The school's text without secrets and control characters, on one line of at most 200 characters."""
    for secret in secrets:
        message = message.replace(secret, "[...]")
    printable = "".join(character if character.isprintable() else " " for character in message)
    return " ".join(printable.split())[:MAX_QUOTED_CHARACTERS]


def is_html(content_type: str, body: bytes) -> bool:
    return "html" in content_type.lower() or body.lstrip(BLANK).startswith(b"<")


def read_answer(
    status: int, content_type: str, body: bytes, *, quote: bool = True, secrets: Iterable[str] = ()
) -> dict[str, Any]:
    """The answer `{"code": 0, "msg", "data"}` of a call that succeeded.

    Raises SchoolTooFast, TooManySessions or TokenDead for a refusal; SchoolServerError for another HTTP error;
    SchoolError for another code, with the school's own text when `quote`; SchoolMalformed for what is no such answer.
    """
    answer = _json_object(body)
    code, message = school_code(answer.get("code")), _message(answer)
    if refused := refusal(code, message) or refusal(status, ""):
        raise refused
    if 300 <= status < 400 or (status < 300 and not answer and is_html(content_type, body)):
        raise token_dead()
    if status >= 400:
        raise SchoolServerError(status)
    if "code" not in answer:
        raise SchoolMalformed("The school's answer cannot be read.")
    if code != 0:
        raise failed(code, message if quote else "", secrets=secrets)
    return answer


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(answer: dict[str, Any]) -> str:
    message = answer.get("msg") or answer.get("message")
    return message if isinstance(message, str) else ""
