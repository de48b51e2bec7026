"""The images of a request: checked by decoding them, then stored with the school, in the conversation's order.

The bytes go to the school as they came. They are not encoded anew, which would cost time and quality, so what a camera
wrote into them (EXIF: place, time, device) goes along; a member who does not want that removes it before sending.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gateway.attachments import decoder
from gateway.attachments.remote import PUBLIC_WEB, Fetcher
from gateway.calls import Line
from gateway.errors import InvalidRequest
from gateway.school.client import SchoolClient

MAX_IMAGE_BYTES = 20 * 1024 * 1024
MAX_TOTAL_BYTES = 40 * 1024 * 1024
DECODE_SECONDS = 15.0
"""The largest honest image takes one or two."""
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}

_decoders = ThreadPoolExecutor(max_workers=2, thread_name_prefix="images")
"""So many images are decoded at a time: the largest takes 200 MB and a whole processor."""


@dataclass(frozen=True)
class ImageSource:
    """An image as the request holds it. `content`: its bytes, or the URL where they are; `param`: its place."""

    param: str
    content: bytes | str = field(repr=False)


@dataclass(frozen=True)
class CheckedImage:
    """A whole image of one of the four formats, with the content type that it really has."""

    content: bytes = field(repr=False)
    content_type: str

    def name(self, number: int) -> str:
        return f"image-{number}.{SUFFIXES[self.content_type]}"


async def load_all(sources: Sequence[ImageSource], fetcher: Fetcher = PUBLIC_WEB) -> list[CheckedImage]:
    """The images, fetched and checked, in order. Raises `InvalidRequest` that names the first one that will not do."""
    images: list[CheckedImage] = []
    for source in sources:
        content = source.content
        if isinstance(content, str):
            content = await fetcher.fetch(content, source.param)
        if sum(len(image.content) for image in images) + len(content) > MAX_TOTAL_BYTES:
            raise _too_large(source.param, f"The images are together larger than {MAX_TOTAL_BYTES:,} bytes")
        images.append(await asyncio.get_running_loop().run_in_executor(_decoders, check, content, source.param))
    return images


async def upload_all(line: Line, images: Sequence[CheckedImage]) -> list[str]:
    """Store the images with the school, in order: their URLs, for the `files` of a completion.

    Raises what `Line.call` raises.
    """
    return [await _upload(line, image, number) for number, image in enumerate(images, 1)]


async def _upload(line: Line, image: CheckedImage, number: int) -> str:
    async def attempt(client: SchoolClient) -> str:
        return await client.upload(image.name(number), image.content, image.content_type)

    return await line.call(attempt)


def check(content: bytes, param: str) -> CheckedImage:
    """The image with its real type. Waits for a process that decodes it: for a thread. Raises `InvalidRequest`."""
    if not content:
        raise _unusable(param, "is empty")
    if len(content) > MAX_IMAGE_BYTES:
        raise _too_large(param, f"The image is larger than {MAX_IMAGE_BYTES:,} bytes")
    verdict = _decoded(content, param)
    if verdict == decoder.TOO_MANY_PIXELS:
        raise _too_large(param, f"The image has more than {decoder.MAX_PIXELS:,} pixels")
    if verdict == decoder.TWO_KINDS:
        raise _unusable(param, "is a file of another kind as well")
    if verdict == decoder.DAMAGED:
        raise _unusable(param, "is damaged, cut short or of another format")
    return CheckedImage(content, verdict)


def _decoded(content: bytes, param: str) -> str:
    """The decoder's verdict. A crash of its is the image's fault, an exit status other than 0 is ours."""
    # Standard error goes nowhere: what Pillow warns of holds parts of the image.
    command = [sys.executable, "-I", decoder.__file__]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=DECODE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unusable(param, "takes too long to decode") from None
    if done.returncode < 0:
        return decoder.DAMAGED
    done.check_returncode()
    return done.stdout.decode()


def _unusable(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The image at '{param}' {why}. Send a whole PNG, JPEG, GIF or WebP file; saving it anew often helps.",
        param=param,
        code="invalid_image_format",
    )


def _too_large(param: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{what}. Send fewer or smaller images.", param=param, code="image_too_large")
