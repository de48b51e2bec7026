"""A live login's Chrome reaches the allowed places and nothing else, with a proxy and without: tried in a real one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.tokens.stand_ins import Site, served_site, until_shown
from tokens.chrome import BrowserSettings, running_chrome
from tokens.live.places import Place, place_of
from tokens.live.routes import resolver_rules, route_script, switches

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
FETCH = """
const [url, done] = arguments;
fetch(url, {mode: "no-cors", cache: "no-store"}).then(() => done("came"), () => done("failed"));
"""
CALL_OUT = """
const [host, udp, tcp, done] = arguments;
const servers = [{urls: `stun:${host}:${udp}`},
  {urls: `turn:${host}:${tcp}?transport=tcp`, username: "a", credential: "b"}];
const call = new RTCPeerConnection({iceServers: servers});
call.createDataChannel("x");
call.onicegatheringstatechange = () => call.iceGatheringState === "complete" && done(true);
call.createOffer().then((offer) => call.setLocalDescription(offer));
"""


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy() -> Iterator[Site]:
    """Whatever it is asked for, by plain http: its paths are whole addresses then."""
    with served_site() as made:
        yield made


@contextmanager
def chrome(site: Site, *places: Place) -> Iterator[WebDriver]:
    """At a page of the site."""
    settings = BrowserSettings(time_limit_seconds=600, switches=switches([place_of(site.url), *places]))
    site.pages["/"] = "<title>start</title>"
    with running_chrome(settings, lambda group, scratch: None) as running:
        running.driver.set_script_timeout(60)
        running.driver.get(site.url)
        until_shown(lambda: running.driver.title == "start")
        yield running.driver


def fetched(driver: WebDriver, url: str) -> bool:
    return bool(driver.execute_async_script(FETCH, url) == "came")


def test_no_other_name_address_or_port_answers(site: Site, proxy: Site) -> None:
    with chrome(site) as driver:
        assert fetched(driver, site.url)
        for url in (site.url.replace("127.0.0.1", "localhost"), site.url.replace("127.0.0.1", "127.0.0.2"), proxy.url):
            assert not fetched(driver, url)


def test_a_proxy_gets_what_is_allowed_and_nothing_else(
    site: Site, proxy: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    with chrome(site, Place("http", "sso.example", 80), Place("http", "*.idp.example", 80)) as driver:
        for url in ("http://sso.example/login", "http://a.idp.example/"):
            assert fetched(driver, url)
        for url in (
            "http://sso.example:81/",
            "http://intranet.example/",
            "http://10.1.2.3/",
            "http://169.254.169.254/",
            site.url.replace("127.0.0.1", "localhost"),
        ):
            assert not fetched(driver, url)
    assert {url for url in proxy.asked if "example" in url or "10." in url} == {
        "http://sso.example/login",
        "http://a.idp.example/",
    }


def test_what_the_environment_spares_the_proxy_goes_there_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "idp.example")
    places = [Place("https", "sso.example", 443), Place("https", "a.idp.example", 443)]
    rules, script, *_ = switches(places)
    assert rules.endswith(
        "=MAP sso.example:443 sso.example:443, MAP a.idp.example:443 a.idp.example:443, "
        "MAP proxy.example:3128 proxy.example:3128, MAP * ~NOTFOUND"
    )
    assert script.startswith("--proxy-pac-url=data:")
    proxies = {places[0]: Place("PROXY", "proxy.example", 3128)}
    assert route_script(places, proxies).startswith(
        'const routes = [["https", "sso.example", 443, "PROXY proxy.example:3128"], '
        '["https", "a.idp.example", 443, "DIRECT"]];'
    )


def test_names_below_a_name_are_excepted_as_a_whole() -> None:
    assert resolver_rules([Place("https", "*.idp.example", 443)]) == "EXCLUDE *.idp.example, MAP * ~NOTFOUND"


def test_a_call_between_browsers_leaves_no_packet(site: Site) -> None:
    with counting(socket.SOCK_DGRAM) as (udp, packets), counting(socket.SOCK_STREAM) as (tcp, connections):
        with chrome(site) as driver:
            assert driver.execute_async_script(CALL_OUT, urlsplit(site.url).hostname, udp, tcp)
        assert (packets, connections) == ([], [])


@contextmanager
def counting(kind: socket.SocketKind) -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who has knocked there."""
    seen: list[object] = []
    with closing(socket.socket(socket.AF_INET, kind)) as listening:
        listening.bind(("127.0.0.1", 0))

        def listen() -> None:
            while True:
                try:
                    seen.append(listening.recvfrom(2000) if kind == socket.SOCK_DGRAM else listening.accept())
                except OSError:
                    return

        if kind == socket.SOCK_STREAM:
            listening.listen()
        threading.Thread(target=listen, daemon=True).start()
        yield listening.getsockname()[1], seen
