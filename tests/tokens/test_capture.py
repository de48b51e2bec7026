from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokens.capture import Capture
from tokens.network import Network, api_base
from tokens.stores import sign_on_cookies, token_in_storage

API = "https://school.test/jmapi/api"


class FakeDriver:
    """Stands for a driver: hands out the event handlers, and cookies."""

    def __init__(self, cookies: list[dict[str, Any]] | None = None) -> None:
        self.network = self
        self.handlers: dict[str, Callable[[Any], None]] = {}
        self.cookies = cookies or []

    def add_event_handler(self, event: str, handler: Callable[[Any], None]) -> None:
        self.handlers[event] = handler

    def add_data_collector(self, **_: Any) -> None: ...

    def execute_cdp_cmd(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"cookies": self.cookies}

    def send(self, url: str, at: float = 1.0, method: str = "GET", page: bool = False, **headers: str) -> None:
        listed = [
            {"name": name.replace("_", "-"), "value": {"type": "string", "value": value}}
            for name, value in headers.items()
        ]
        request = {"url": url, "method": method, "headers": listed}
        navigation = "n" if page else None
        self.handlers["before_request"]({"request": request, "timestamp": at * 1000, "navigation": navigation})


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def network(driver: FakeDriver) -> Network:
    network = Network(driver)  # type: ignore[arg-type]
    network.listen()
    return network


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://jmapi.xjtlu.edu.cn/api/chat/config?sf_request_type=ajax", "https://jmapi.xjtlu.edu.cn/api"),
        ("https://xipuai.xjtlu.edu.cn/jmapi/api/chat/session?lang=en", "https://xipuai.xjtlu.edu.cn/jmapi/api"),
        ("http://127.0.0.1:8/v4/x/chat/completions", "http://127.0.0.1:8/v4/x"),
        ("http://127.0.0.1:8/api/common/upload", "http://127.0.0.1:8/api"),
        ("http://127.0.0.1:8/v3/chat", None),
        ("http://127.0.0.1:8/static/chat/config.js", None),
        ("http://127.0.0.1:8/?next=/api/chats/config", None),
    ],
)
def test_the_api_base_is_what_stands_before_a_known_call(url: str, base: str | None) -> None:
    assert api_base(url) == base


def test_the_newest_token_wins_whatever_the_order_of_the_events(driver: FakeDriver, network: Network) -> None:
    driver.send(f"{API}/chat/session", at=2.0, Jm_Token="new", Sdp_App_Session="s")
    driver.send(f"{API}/chat/config", at=1.0, Jm_Token="old")
    last = network.token_requests()[-1]
    assert (last.token, last.headers["sdp-app-session"], last.api_base) == ("new", "s", API)


@pytest.mark.parametrize("token", ["", "null", "undefined"])
def test_a_page_without_a_token_yet_sends_none(driver: FakeDriver, network: Network, token: str) -> None:
    driver.send(f"{API}/chat/config", Jm_Token=token)
    assert network.token_requests() == []


def test_a_token_on_another_call_of_the_api_is_captured(driver: FakeDriver, network: Network) -> None:
    driver.send(f"{API}/user/points?lang=en", Jm_Token="t")
    assert network.token_requests()[-1].api_base == API


def test_calls_of_the_api_are_reported_once_with_their_times(driver: FakeDriver, network: Network) -> None:
    driver.send(f"{API}/user/points", at=1.0)
    driver.send("https://school.test/v3/chat", at=1.5, page=True)
    driver.send(f"{API}/chat/config", at=2.0)
    assert network.new_api_calls() == [1.0, 2.0]
    driver.send(f"{API}/chat/session", at=3.0)
    assert network.new_api_calls() == [3.0]


def test_preflights_are_no_calls(driver: FakeDriver, network: Network) -> None:
    driver.send(f"{API}/chat/config", method="OPTIONS")
    assert network.new_api_calls() == []


def test_the_base_of_a_call_without_a_token_is_a_fallback(driver: FakeDriver, network: Network) -> None:
    driver.send(f"{API}/chat/config")
    assert (network.token_requests(), network.seen_api_base()) == ([], API)


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


def test_the_repr_of_a_capture_shows_no_secret() -> None:
    secrets = {name: f"secret-{name}" for name in ("jm_token", "sdp_app_session", "user_agent", "origin")}
    cookies = [{"name": "TGC", "value": "secret-cookie"}]
    capture = Capture(**secrets, cookies={"a": "secret-a"}, api_url=API, sign_on_cookies=cookies)
    assert "secret" not in f"{capture!r} {capture}"


def kept(cookies: list[dict[str, Any]], pages: set[tuple[str, int]]) -> list[str]:
    found = sign_on_cookies(
        FakeDriver(cookies),  # type: ignore[arg-type]
        portal={("portal.test", 443)},
        api_url="https://api.test/api",
        pages=pages,
    )
    return [json.dumps(cookie) for cookie in found]


def cookie(domain: str, **more: Any) -> dict[str, Any]:
    return {"name": "n", "value": "v", "domain": domain, "sourcePort": 443, "expires": -1, "session": True, **more}


SIGN_ON, PORTAL = ("sso.test", 443), ("portal.test", 443)


def test_the_portals_and_the_apis_own_cookies_stay_behind() -> None:
    all_of_them = [cookie("sso.test"), cookie("portal.test"), cookie("api.test"), cookie(".test")]
    domains = [json.loads(text)["domain"] for text in kept(all_of_them, {SIGN_ON, PORTAL})]
    assert domains == ["sso.test", ".test"]


def test_a_portal_that_is_the_sign_on_too_keeps_its_cookies() -> None:
    assert len(kept([cookie("portal.test")], {PORTAL})) == 1


def test_a_cookie_without_an_end_is_set_again_without_one() -> None:
    (text,) = kept([cookie("sso.test", size=2)], {SIGN_ON, PORTAL})
    assert set(json.loads(text)) == {"name", "value", "domain", "sourcePort"}
