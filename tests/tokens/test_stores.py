from __future__ import annotations

import json
from typing import Any

import pytest

from tokens.stores import sign_on_cookies, token_in_storage

SIGN_ON, PORTAL = ("sso.test", 443), ("portal.test", 443)


class FakeDriver:
    """Stands for a driver of a browser with these cookies."""

    def __init__(self, cookies: list[dict[str, Any]]) -> None:
        self.cookies = cookies

    def execute_cdp_cmd(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"cookies": self.cookies}


@pytest.mark.parametrize(
    "text",
    [
        '{"token": "t0k"}',
        '{"user": {"name": "San", "token": "t0k"}}',
        "v1¨name¨¨San¨token¨¨t0k¨",
        "token¨¨t0k¨",
    ],
)
def test_the_token_is_read_from_json_and_from_packed_text(text: str) -> None:
    assert token_in_storage(text) == "t0k"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"token": 5}', "mytoken¨¨t0k¨"])
def test_storage_without_a_token_holds_none(text: str) -> None:
    assert token_in_storage(text) == ""


def kept(cookies: list[dict[str, Any]], pages: set[tuple[str, int]]) -> list[str]:
    found = sign_on_cookies(
        FakeDriver(cookies),  # type: ignore[arg-type]
        portal={PORTAL},
        api_url="https://api.test/api",
        pages=pages,
    )
    return [json.dumps(cookie) for cookie in found]


def cookie(domain: str, **more: Any) -> dict[str, Any]:
    return {"name": "n", "value": "v", "domain": domain, "sourcePort": 443, "expires": -1, "session": True, **more}


def test_the_portals_and_the_apis_own_cookies_stay_behind() -> None:
    all_of_them = [cookie("sso.test"), cookie("portal.test"), cookie("api.test"), cookie(".test")]
    domains = [json.loads(text)["domain"] for text in kept(all_of_them, {SIGN_ON, PORTAL})]
    assert domains == ["sso.test", ".test"]


def test_a_portal_that_is_the_sign_on_too_keeps_its_cookies() -> None:
    assert len(kept([cookie("portal.test")], {PORTAL})) == 1


def test_a_cookie_without_an_end_is_set_again_without_one() -> None:
    (text,) = kept([cookie("sso.test", size=2)], {SIGN_ON, PORTAL})
    assert set(json.loads(text)) == {"name", "value", "domain", "sourcePort"}
