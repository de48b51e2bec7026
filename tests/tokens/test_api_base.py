"""To which addresses a token may be sent."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tokens.api_base import is_schools


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "https://xipuai.xjtlu.edu.cn/"
    settings.XIPU_API_URL = ""
    settings.XIPU_TRUSTED_HOSTS = ["Vpn.example"]


@pytest.mark.parametrize(
    "url",
    [
        "https://xipuai.xjtlu.edu.cn/jmapi/api",
        "https://xjtlu.edu.cn",
        "HTTPS://JMAPI.XJTLU.EDU.CN:8443/api",
        "https://jmapi.xjtlu.edu.cn/a%20b/api",
        "https://vpn.example/api",
    ],
)
def test_the_schools_own_and_trusted_hosts_are_taken_by_https(url: str) -> None:
    assert is_schools(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://xipuai.xjtlu.edu.cn/api",
        "http://xipuai.xjtlu.edu.cn:22/",
        "http://vpn.example/api",
        "ftp://x.xjtlu.edu.cn/",
        "//x.xjtlu.edu.cn/",
        "x.xjtlu.edu.cn/api",
        "https://u:p@x.xjtlu.edu.cn/",
        "https://x.xjtlu.edu.cn@evil.example/",
        "https://evil.example\\@x.xjtlu.edu.cn/",
        "https://evil.example\\.xjtlu.edu.cn/",
        "https:\\\\x.xjtlu.edu.cn/",
        "https://evil.example#.xjtlu.edu.cn",
        "https://evil.example?.xjtlu.edu.cn",
        "https://evil.example/.xjtlu.edu.cn",
        "https://x.xjtlu.edu.cn/?a=",
        "https://x.xjtlu.edu.cn/api#",
        "https://x.xjtlu.edu.cn /api",
        " https://x.xjtlu.edu.cn/api",
        "https://x.xjtlu.edu.cn/api\n",
        "https://evil.example%2f.xjtlu.edu.cn/",
        "https://x.xjtlu.edu.cn:99999/",
        "https://x.xjtlu.edu.cn:0/",
        "https://x.xjtlu.edu.cn:/",
        "https://.xjtlu.edu.cn/",
        "https://evilxjtlu.edu.cn/",
        "https://xjtlu.edu.cn.evil.example/",
        "https://xjtlu.edu.cn./",
        "https://\u0445jtlu.edu.cn/",
        "https://[::1]/",
        "https:///api",
        "https://",
        "",
        f"https://x.xjtlu.edu.cn/{'x' * 300}",
    ],
)
def test_what_leads_elsewhere_or_could_be_read_so_is_refused(url: str) -> None:
    assert not is_schools(url)


@pytest.mark.parametrize("configured", ["XIPU_PORTAL_URL", "XIPU_API_URL"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "school.test"])
def test_http_is_taken_only_as_it_is_configured(configured: str, host: str, settings: Settings) -> None:
    setattr(settings, configured, f"http://{host}:4000/")
    assert is_schools(f"http://{host}:4000/jmapi/api")
    assert is_schools(f"https://{host}/api")
    assert not is_schools(f"http://{host}/api")
    assert not is_schools(f"http://{host}:22/")
    assert not is_schools("http://xipuai.xjtlu.edu.cn:4000/")


def test_the_usual_port_need_not_be_named(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "http://school.test/"
    assert is_schools("http://school.test:80/api")
