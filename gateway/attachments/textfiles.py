"""Text files that a member attaches, as labelled blocks of the prompt."""

from __future__ import annotations

import codecs
import re

from gateway.errors import InvalidRequest

MAX_TEXT_BYTES = 1024 * 1024
MAX_NAME_CHARACTERS = 100
# GB18030 last: it reads nearly any bytes.
BY_MARK = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
WITHOUT_MARK = ("utf-8", "gb18030")
# All but backspace, the white space and escape (the colours of terminals).
NO_TEXT = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
BINARY_STARTS = (b"%PDF-", b"PK\x03\x04")


def block(name: str, content: bytes, param: str) -> str:
    """The file's text between two lines that name it. Raises `InvalidRequest` for what is no text, or too much."""
    label = clean_name(name)
    return f"[file {label}]\n{decode(content, param)}\n[end of file {label}]"


def decode(content: bytes, param: str) -> str:
    """The text, from UTF-8, UTF-16 with its mark, or GB18030."""
    if len(content) > MAX_TEXT_BYTES:
        raise InvalidRequest(
            f"The file at '{param}' is larger than {MAX_TEXT_BYTES:,} bytes. Send a part of it.",
            param=param,
            code="file_too_large",
        )
    text = _decoded(content)
    if text is None or content.startswith(BINARY_STARTS) or NO_TEXT.search(text):
        raise InvalidRequest(
            f"The file at '{param}' is not a text file, and only text files can be read. "
            "Send a document's text, and images as image_url parts.",
            param=param,
            code="invalid_file",
        )
    return text


def clean_name(name: str) -> str:
    """The last part of a path, in printable characters that cannot end the label."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(character for character in last if character.isprintable() and character not in "[]")
    return kept.strip()[:MAX_NAME_CHARACTERS] or "unnamed"


def _decoded(content: bytes) -> str | None:
    marked = [encoding for mark, encoding in BY_MARK.items() if content.startswith(mark)]
    for encoding in marked or WITHOUT_MARK:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
