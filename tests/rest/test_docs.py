"""The schema, and the pages that show it."""

from __future__ import annotations

import json

from django.core.management import call_command
from django.test import Client

from accounts.models import Account
from gateway import __version__
from tests.rest.conftest import page, program


def test_the_schema_is_valid_and_warns_of_nothing(tmp_path: object) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=f"{tmp_path}/schema.yml")


def test_the_schema_names_how_one_signs_in_and_how_errors_look(alice: Account) -> None:
    schema = json.loads(program(alice.member).get("/api/schema/?format=json").content)
    assert schema["info"]["version"] == __version__
    assert set(schema["components"]["securitySchemes"]) == {"apiKey", "session"}
    assert "Error" in schema["components"]["schemas"]
    create = schema["paths"]["/api/keys/"]["post"]
    assert {"201", "400", "401", "403", "429"} <= set(create["responses"])


def test_the_schema_and_the_pages_are_for_signed_in_people() -> None:
    assert Client().get("/api/schema/").status_code == 401
    answer = Client().get("/api/docs/")
    assert answer.status_code == 302
    assert answer["location"].endswith("?next=/api/docs/")


def test_the_pages_load_nothing_from_elsewhere(alice: Account) -> None:
    answer = page(alice.member).get("/api/docs/")
    assert answer.status_code == 200
    assert "https://" not in answer.content.decode()
    assert "https:" not in answer["content-security-policy"]
    assert "unsafe-eval" not in answer["content-security-policy"]


def test_the_page_around_the_reference_is_in_the_readers_language(alice: Account) -> None:
    chinese = page(alice.member).get("/api/docs/", headers={"accept-language": "zh-CN"}).content.decode()
    assert "下方的参考文档为英文" in chinese
    assert "The reference below" not in page(alice.member).get("/api/docs/").content.decode()
