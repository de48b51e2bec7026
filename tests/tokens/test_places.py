"""Which pages a live login may show."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tokens.live.places import allowed_places, is_allowed, may_be_shown


@pytest.fixture(autouse=True)
def _as_installed(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "https://xipuai.xjtlu.edu.cn/"
    settings.XIPU_API_URL = ""
    settings.XIPU_SIGN_ON_HOSTS = []
    settings.XIPU_TRUSTED_HOSTS = []


@pytest.mark.parametrize(
    "url",
    [
        "https://xipuai.xjtlu.edu.cn/v3/chat",
        "https://sso.xjtlu.edu.cn/login",
        "https://uim.xjtlu.edu.cn:443/esc-sso/login/page",
        "https://jmapi.xjtlu.edu.cn/api/chat/config",
        "https://xipuai-xjtlu-edu-cn-s.xjtlu.edu.cn/",
        "https://uim-xjtlu-edu-cn-s.xjtlu.edu.cn/",
    ],
)
def test_the_schools_portal_and_sign_on_are_allowed(url: str) -> None:
    assert may_be_shown(url, allowed_places())


@pytest.mark.parametrize(
    "url",
    [
        "https://www.xjtlu.edu.cn/",
        "https://erp-xjtlu-edu-cn-s.xjtlu.edu.cn/",
        "http://sso.xjtlu.edu.cn/login",
        "https://sso.xjtlu.edu.cn:8443/login",
        "https://sso.xjtlu.edu.cn.evil.example/",
        "https://evil.example@127.0.0.1/",
        "http://127.0.0.1/",
        "http://[::1]/",
    ],
)
def test_no_other_site_scheme_or_port_is(url: str) -> None:
    assert not may_be_shown(url, allowed_places())


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "data:text/html,x", "chrome://net-internals", "about:srcdoc", ""]
)
def test_no_page_but_the_schools_may_be_shown(url: str) -> None:
    assert not may_be_shown(url, allowed_places())


def test_sign_on_hosts_of_the_settings_are_allowed_and_hosts_for_tokens_are_not(settings: Settings) -> None:
    settings.XIPU_SIGN_ON_HOSTS = ["*.idp.example", "vpn.example:8443"]
    settings.XIPU_TRUSTED_HOSTS = ["api.example"]
    places = allowed_places()
    for url in ("https://a.idp.example/x", "https://vpn.example:8443/"):
        assert is_allowed(url, places)
    for url in (
        "https://idp.example.evil.example/",
        "http://a.idp.example/",
        "https://vpn.example/",
        "https://api.example/",
    ):
        assert not is_allowed(url, places)


def test_a_configured_api_is_allowed_where_it_is(settings: Settings) -> None:
    settings.XIPU_API_URL = "http://10.1.2.3:8080/api"
    assert is_allowed("http://10.1.2.3:8080/api/chat/config", allowed_places())
    assert not is_allowed("http://10.1.2.3/", allowed_places())


def test_a_portal_in_clear_may_have_such_a_sign_on(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "http://portal.example:9000/"
    settings.XIPU_SIGN_ON_HOSTS = ["idp.example"]
    places = allowed_places()
    for url in ("http://portal.example:9000/", "http://idp.example/", "https://idp.example/"):
        assert is_allowed(url, places)
    assert not is_allowed("http://portal.example/", places)


def test_a_simulated_school_goes_by_all_names_of_this_machine(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "http://127.0.0.1:9000/"
    for url in ("http://localhost:9000/sso", "http://[::1]:9000/"):
        assert is_allowed(url, allowed_places())
    assert not is_allowed("http://localhost:9001/", allowed_places())
