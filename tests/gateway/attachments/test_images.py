"""Images: whole ones of four formats, known by their bytes alone, stored in order once all of them are good."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.attachments import decoder, images
from gateway.attachments.images import CheckedImage, ImageSource, check, load_all, upload_all
from gateway.attachments.remote import Fetcher
from gateway.calls import Line
from gateway.errors import InvalidRequest, SchoolNoAnswer
from tests.gateway.attachments.pictures import FORMATS, picture

PLACE = "messages[0].content[1]"
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x00\x01\x00\x00WEBPVP8 ", b"")
REFUSED = {decoder.DAMAGED, decoder.TOO_MANY_PIXELS, decoder.TWO_KINDS}
WHOLE = [picture(format) for format in FORMATS]


def refused(content: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(content, PLACE)
    assert caught.value.param == PLACE
    return caught.value


@pytest.mark.parametrize("format", FORMATS)
def test_the_four_formats_are_taken_as_they_are(format: str) -> None:
    content = picture(format)
    assert check(content, PLACE) == CheckedImage(content, FORMATS[format])


@pytest.mark.parametrize(("format", "name"), [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("WEBP", "webp")])
def test_the_name_follows_the_real_format(format: str, name: str) -> None:
    assert CheckedImage(b"", FORMATS[format]).name(2) == f"image-2.{name}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_is_taken(mode: str) -> None:
    assert decoder.verdict(picture("PNG", mode=mode)) == "image/png"


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_animations_are_taken(format: str) -> None:
    more = [Image.new("RGB", (16, 12), colour) for colour in ("red", "blue")]
    assert decoder.verdict(picture(format, save_all=True, append_images=more)) == FORMATS[format]


def test_a_jpeg_with_further_pictures_in_it_is_a_jpeg() -> None:
    content = picture("MPO", save_all=True, append_images=[Image.new("RGB", (16, 12))])
    assert decoder.verdict(content) == "image/jpeg"


def test_an_empty_image_is_refused() -> None:
    assert "is empty" in refused(b"").message


@pytest.mark.parametrize("format", ["BMP", "TIFF", "PPM", "ICO"])
def test_another_format_is_refused(format: str) -> None:
    assert decoder.verdict(picture(format)) == decoder.DAMAGED


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"<!doctype html><html></html>",
        b"%PDF-1.7\n",
        b"hello",
        *MAGIC[:4],
    ],
)
def test_what_is_no_image_is_refused(content: bytes) -> None:
    error = refused(content)
    assert error.code == "invalid_image_format"
    assert "PNG, JPEG, GIF or WebP" in error.message


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_an_image_that_was_cut_short_is_refused(format: str, share: float) -> None:
    content = picture(format, size=(120, 120))
    assert decoder.verdict(content[: int(len(content) * share)]) == decoder.DAMAGED


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    end = chunk(b"IEND", b"")
    noted = picture().replace(end, chunk(b"noTe", b"after the pixels") + end)
    assert decoder.verdict(noted) == "image/png"
    assert decoder.verdict(noted.replace(b"after the", b"After the")) == decoder.DAMAGED


def archive() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.txt", "a")
    return file.getvalue()


@pytest.mark.parametrize("tail", [archive(), b"<script>1</script>", b"<HTML >", b"<?php echo 1; ?>"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_image_that_is_something_else_too_is_refused(format: str, tail: bytes) -> None:
    assert decoder.verdict(picture(format) + tail) == decoder.TWO_KINDS


def test_an_image_with_a_pdf_inside_is_refused() -> None:
    assert "another kind" in refused(picture("JPEG", comment=b"%PDF-1.7\n")).message


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return MAGIC[0] + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))


@pytest.mark.parametrize("size", [(5_000, 10_001), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_undecoded(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decoder.verdict(bomb(*size)) == decoder.TOO_MANY_PIXELS


def test_too_many_pixels_are_told() -> None:
    error = refused(bomb(10_000, 10_000))
    assert error.code == "image_too_large"
    assert "50,000,000 pixels" in error.message


def test_too_many_bytes_are_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(subprocess, "run")
    assert refused(bytes(images.MAX_IMAGE_BYTES + 1)).code == "image_too_large"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_garbage_never_breaks_the_decoder(magic: bytes, garbage: bytes) -> None:
    assert decoder.verdict(magic + garbage) in REFUSED


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_never_breaks_the_decoder(content: bytes, at: int, damage: bytes) -> None:
    at %= len(content)
    verdict = decoder.verdict(content[:at] + damage + content[at + len(damage) :])
    assert verdict in {*FORMATS.values(), *REFUSED}


@settings(max_examples=5, deadline=None)
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_garbage_is_an_invalid_request(magic: bytes, garbage: bytes) -> None:
    refused(magic + garbage)


@pytest.fixture
def decoder_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file that runs in the decoder's place."""
    script = tmp_path / "decoder.py"
    monkeypatch.setattr(decoder, "__file__", str(script))
    return script


def test_an_image_that_crashes_its_decoder_is_refused(decoder_is: Path) -> None:
    decoder_is.write_text("import os; os.abort()")
    assert "damaged" in refused(picture()).message


def test_an_image_that_keeps_its_decoder_busy_is_refused(decoder_is: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder_is.write_text("while True: pass")
    monkeypatch.setattr(images, "DECODE_SECONDS", 0.1)
    assert "too long" in refused(picture()).message


def test_a_decoder_that_does_not_run_is_not_the_images_fault(decoder_is: Path) -> None:
    decoder_is.write_text("raise SystemExit(1)")
    with pytest.raises(subprocess.CalledProcessError):
        check(picture(), PLACE)


def sources(*contents: bytes | str) -> list[ImageSource]:
    return [ImageSource(f"messages[0].content[{at}]", content) for at, content in enumerate(contents)]


@dataclass(frozen=True)
class Album(Fetcher):
    """Fetches what is named from a dictionary."""

    pages: dict[str, bytes] = field(default_factory=dict)

    async def fetch(self, url: str, param: str) -> bytes:
        return self.pages[url]


async def test_images_are_loaded_in_order_wherever_they_are() -> None:
    album = Album(pages={"https://a.test/": picture("GIF")})
    loaded = await load_all(sources(picture("JPEG"), "https://a.test/", picture("PNG")), album)
    assert [image.content_type for image in loaded] == ["image/jpeg", "image/gif", "image/png"]


async def test_the_first_image_that_will_not_do_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await load_all(sources(picture(), b"no image", b""))
    assert caught.value.param == "messages[0].content[1]"


async def test_a_fetched_image_is_checked_too() -> None:
    with pytest.raises(InvalidRequest, match="damaged"):
        await load_all(sources("https://a.test/"), Album(pages={"https://a.test/": b"<html>"}))


async def test_a_private_url_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await load_all(sources(picture(), "https://127.0.0.1/a.png"), Fetcher())
    assert (caught.value.param, caught.value.code) == ("messages[0].content[1]", "invalid_image_url")


async def test_images_too_large_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_TOTAL_BYTES", 2 * len(picture()))
    assert len(await load_all(sources(picture(), picture()))) == 2
    with pytest.raises(InvalidRequest) as caught:
        await load_all(sources(picture(), picture(), picture()))
    assert (caught.value.param, caught.value.code) == ("messages[0].content[2]", "image_too_large")


async def test_no_image_costs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert await load_all([]) == []


class Storage:
    """A line to a school that stores pictures, and fails where it is told to."""

    def __init__(self, fails_at: int = 0) -> None:
        self.stored: list[tuple[str, bytes, str]] = []
        self.fails_at = fails_at

    async def call(self, attempt: object) -> object:
        return await attempt(self)  # type: ignore[operator]

    async def upload(self, name: str, content: bytes, content_type: str) -> str:
        self.stored.append((name, content, content_type))
        if len(self.stored) == self.fails_at:
            raise SchoolNoAnswer("The school did not answer.")
        return f"https://school.test/{len(self.stored)}"


def line(storage: Storage) -> Line:
    return storage  # type: ignore[return-value]


async def test_images_are_stored_in_order_with_their_real_types() -> None:
    storage = Storage()
    urls = await upload_all(line(storage), [CheckedImage(b"1", "image/gif"), CheckedImage(b"2", "image/jpeg")])
    assert urls == ["https://school.test/1", "https://school.test/2"]
    assert storage.stored == [("image-1.gif", b"1", "image/gif"), ("image-2.jpg", b"2", "image/jpeg")]


async def test_an_upload_that_fails_is_the_last() -> None:
    storage = Storage(fails_at=1)
    with pytest.raises(SchoolNoAnswer):
        await upload_all(line(storage), [CheckedImage(b"1", "image/gif"), CheckedImage(b"2", "image/gif")])
    assert len(storage.stored) == 1


def test_an_images_bytes_and_url_are_in_no_repr() -> None:
    shown = repr([ImageSource(PLACE, "https://secret.test"), CheckedImage(b"secret", "image/png")])
    assert "secret" not in shown
