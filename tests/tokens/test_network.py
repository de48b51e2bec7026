from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokens.network import Network, api_base

API = "https://school.test/jmapi/api"


class FakeDriver:
    """Stands for a driver: tells the handlers of events."""

    def __init__(self) -> None:
        self.network = self
        self.handlers: dict[str, Callable[[Any], None]] = {}

    def add_event_handler(self, event: str, handler: Callable[[Any], None]) -> None:
        self.handlers[event] = handler

    def add_data_collector(self, **_: Any) -> None: ...

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
