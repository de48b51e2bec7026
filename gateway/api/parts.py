"""The content of messages: text as it is, images as numbered marks in the text, text files read into it.

Takes the parts of chat completions (`text`, `image_url`, `file`) and those of responses (`input_text`, `input_image`,
`input_file`) alike.
"""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.attachments import textfiles
from gateway.attachments.images import MAX_IMAGE_BYTES, ImageSource
from gateway.errors import InvalidRequest

TEXT_PARTS = {"text", "input_text", "output_text"}
IMAGE_PARTS = {"image_url", "input_image"}
FILE_PARTS = {"file", "input_file"}
MAX_IMAGES = 10
DATA_URL = re.compile(r"data:(?P<head>[^,]{0,200}),", re.IGNORECASE)
WEB_URL = re.compile(r"https?://", re.IGNORECASE)
WHITE_SPACE = re.compile(r"\s+")


class ContentReader:
    """Reads the contents of one conversation, in order. `images` are those met so far, over all messages."""

    def __init__(self) -> None:
        self.images: list[ImageSource] = []

    def read(self, content: str | list[dict[str, Any]] | None, place: str) -> str:
        """The text of one message's content. Where an image stood it says `[image 1]`, counted from 1.

        `place` is the content's own, such as `messages[0].content`. Raises `InvalidRequest` that names the part's.
        """
        if content is None:
            return ""
        if isinstance(content, str):
            return content
        return "\n".join(self._part(part, f"{place}[{at}]") for at, part in enumerate(content))

    def _part(self, part: dict[str, Any], place: str) -> str:
        kind = part.get("type")
        if kind in TEXT_PARTS or kind == "refusal":
            return _string(part, "refusal" if kind == "refusal" else "text", place)
        if kind in IMAGE_PARTS:
            return self._image(part, place)
        if kind in FILE_PARTS:
            return _file(part, place)
        raise InvalidRequest(
            f"'{place}' is of a type that is not supported; send text, image_url or file parts.", param=place
        )

    def _image(self, part: dict[str, Any], place: str) -> str:
        given = part.get("image_url")
        url = given.get("url") if isinstance(given, dict) else given
        if not isinstance(url, str):
            raise InvalidRequest(
                f"'{place}' names no image: its 'image_url' must hold a data URL or an https URL.", param=place
            )
        if len(self.images) >= MAX_IMAGES:
            raise InvalidRequest(
                f"The messages hold more than {MAX_IMAGES} images. Send fewer, or begin a new conversation.",
                param=place,
                code="too_many_images",
            )
        self.images.append(ImageSource(place, _image_content(url.strip(), place)))
        return f"[image {len(self.images)}]"


def _image_content(url: str, place: str) -> bytes | str:
    if WEB_URL.match(url):
        return url
    if not DATA_URL.match(url):
        raise InvalidRequest(
            f"The image at '{place}' must be a data URL (data:image/png;base64,...) or an https URL.",
            param=place,
            code="invalid_image_url",
        )
    return _decode(url, place, most=MAX_IMAGE_BYTES, too_large="image_too_large")


def _file(part: dict[str, Any], place: str) -> str:
    """`{"file": {"filename", "file_data"}}`, or the same two fields in the part itself."""
    fields = part.get("file", part)
    if not isinstance(fields, dict) or not isinstance(fields.get("file_data"), str):
        raise InvalidRequest(
            f"'{place}' holds no file: send its content as 'file_data'. Files cannot be named by id or URL.",
            param=place,
        )
    name = fields.get("filename")
    data = _decode(fields["file_data"].strip(), place, most=textfiles.MAX_TEXT_BYTES, too_large="file_too_large")
    return textfiles.block(name if isinstance(name, str) else "", data, place)


def _decode(data: str, place: str, *, most: int, too_large: str) -> bytes:
    """The bytes of a data URL, or of base64 alone."""
    url = DATA_URL.match(data)
    payload = data[url.end() :] if url else data
    # Before it is decoded: a base64 character is six bits, and a percent-encoded byte at most three characters.
    if len(payload) > most * 3:
        raise _too_large(place, most, too_large)
    if url and not url["head"].lower().endswith(";base64"):
        content = unquote_to_bytes(payload)
    else:
        content = _base64(payload, place)
    if len(content) > most:
        raise _too_large(place, most, too_large)
    return content


def _base64(text: str, place: str) -> bytes:
    """Tolerates white space and missing padding, as some clients send it."""
    dense = WHITE_SPACE.sub("", text).rstrip("=")
    try:
        return base64.b64decode(dense + "=" * (-len(dense) % 4), validate=True)
    except ValueError:
        raise InvalidRequest(
            f"The data at '{place}' is not valid base64.", param=place, code="invalid_base64"
        ) from None


def _too_large(place: str, most: int, code: str) -> InvalidRequest:
    return InvalidRequest(f"'{place}' is larger than {most:,} bytes. Send a smaller one.", param=place, code=code)


def _string(part: dict[str, Any], name: str, place: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"'{place}.{name}' must be a string.", param=f"{place}.{name}")
    return value
