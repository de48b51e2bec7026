"""Pictures made for tests."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL import Image

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


def picture(format: str = "PNG", size: tuple[int, int] = (16, 12), mode: str = "RGB", **options: Any) -> bytes:
    """A gradient, so that no format can do without its data."""
    file = BytesIO()
    image = Image.linear_gradient("L").resize(size).convert(mode)
    image.save(file, format, **options)
    return file.getvalue()


def data_url(content: bytes, content_type: str = "image/png") -> str:
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"
