"""Decodes one image, as a process of its own: from standard input, with the verdict on standard output.

Bytes that were made to break a decoder can keep it busy for minutes, take all memory or crash the interpreter. Here
they do that to nobody else.
"""

from __future__ import annotations

import re
import sys
from io import BytesIO

from PIL import Image

CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_PIXELS = 50_000_000
TOO_MANY_PIXELS = "too many pixels"
TWO_KINDS = "two kinds"
DAMAGED = "damaged"

PDF_HEADER_WITHIN = 1024
"""Readers look for a PDF's header in so many bytes."""
MARKUP = re.compile(rb"<(?:html[\s>]|script[\s>]|!doctype\s+html|\?php\s)", re.IGNORECASE)
ZIP_END = b"PK\x05\x06"
ZIP_END_SIZE = 22
ZIP_MAX_COMMENT = 65_535


def verdict(content: bytes) -> str:
    """The content type of a whole image, whatever it was called, or `TOO_MANY_PIXELS`, `TWO_KINDS`, `DAMAGED`.

    Of an animation the first frame is decoded.
    """
    try:
        with Image.open(BytesIO(content), formats=tuple(CONTENT_TYPES)) as image:
            if image.width * image.height > MAX_PIXELS:
                return TOO_MANY_PIXELS
            # A JPEG that holds further pictures (many phones write them) is "MPO" to Pillow.
            content_type = CONTENT_TYPES.get(image.format or "", "image/jpeg")
            # Reads through a PNG's checksums. Pillow wants the image opened anew after it.
            image.verify()
        with Image.open(BytesIO(content), formats=tuple(CONTENT_TYPES)) as image:
            image.load()
    except Image.DecompressionBombError:
        return TOO_MANY_PIXELS
    # Not only Pillow's own errors: hostile bytes end in any of Python's.
    except Exception:  # noqa: BLE001
        return DAMAGED
    return TWO_KINDS if _is_another_kind_too(content) else content_type


def _is_another_kind_too(content: bytes) -> bool:
    """Whether a reader of PDF, HTML or ZIP (documents, programs) would take the image for its own."""
    if b"%PDF-" in content[:PDF_HEADER_WITHIN] or MARKUP.search(content):
        return True
    at = content.rfind(ZIP_END, -ZIP_END_SIZE - ZIP_MAX_COMMENT)
    comment_size = int.from_bytes(content[at + 20 : at + 22], "little")
    return at >= 0 and at + ZIP_END_SIZE + comment_size == len(content)


if __name__ == "__main__":
    sys.stdout.write(verdict(sys.stdin.buffer.read()))
