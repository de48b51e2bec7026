"""Images in a chat: checked, uploaded in order, only to models that see."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import body
from tests.gateway.attachments.pictures import data_url, picture
from tests.school import MODEL, School

CHAT = "/v1/chat/completions"
SEEING = "gpt-5.6-luna"


def image(kind: str = "PNG") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(picture(kind), f"image/{kind.lower()}")}}


def asked(*parts: dict[str, Any], model: str = SEEING) -> dict[str, object]:
    return body(model=model, messages=[{"role": "user", "content": list(parts)}])


def test_images_are_uploaded_in_order_and_marked_in_the_text(client: httpx.Client, school: School) -> None:
    text = {"type": "text", "text": "Compare."}
    assert client.post(CHAT, json=asked(image("PNG"), text, image("JPEG"))).status_code == 200
    assert school.calls() == ["upload", "upload", "saveSession", "completions"]
    assert [upload["content_type"] for upload in school.user()["uploads"]] == ["image/png", "image/jpeg"]
    sent = school.user()["completions"][0]
    assert sent["files"] == [upload["url"] for upload in school.user()["uploads"]]
    assert sent["text"] == "[image 1]\nCompare.\n[image 2]"


@pytest.mark.parametrize("key", ["url", "file_url"])
def test_both_shapes_of_the_uploads_answer_are_read(client: httpx.Client, school: School, key: str) -> None:
    school.settings(upload_key=key)
    assert client.post(CHAT, json=asked(image())).status_code == 200
    assert len(school.user()["completions"][0]["files"]) == 1


def test_a_model_that_does_not_see_is_refused_before_anything_is_sent(client: httpx.Client, school: School) -> None:
    response = client.post(CHAT, json=asked(image(), model=MODEL))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        400,
        "images_not_supported",
        "messages[0].content[0]",
    )
    assert school.calls() == []


def test_one_bad_image_sends_none(client: httpx.Client, school: School) -> None:
    bad = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    response = client.post(CHAT, json=asked(image(), bad))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages[0].content[1]")
    assert school.calls() == []


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "https://localhost/a.png", "https://169.254.169.254/x"])
def test_an_image_in_a_private_network_is_not_fetched(client: httpx.Client, school: School, url: str) -> None:
    response = client.post(CHAT, json=asked({"type": "image_url", "image_url": {"url": url}}))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_image_url")
    assert school.calls() == []


def test_a_text_file_is_read_into_the_prompt(client: httpx.Client, school: School) -> None:
    file = {"type": "file", "file": {"filename": "notes.txt", "file_data": data_url(b"remember", "text/plain")}}
    assert client.post(CHAT, json=asked(file, model=MODEL)).status_code == 200
    assert school.prompts() == ["[file notes.txt]\nremember\n[end of file notes.txt]"]
