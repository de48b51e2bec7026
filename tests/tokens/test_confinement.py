"""What a live login's Chrome cannot do, tried in a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django import Settings
from selenium.webdriver.remote.webdriver import WebDriver

from tests.conftest import until
from tests.tokens.stand_ins import Site, until_shown
from tokens.chrome import BrowserSettings, running_chrome
from tokens.errors import LoginFailed
from tokens.live import confinement
from tokens.live.confinement import Confinement, allowed_hosts, confine, may_be_shown, resolver_rules


@pytest.fixture(autouse=True)
def _portal_on_site(site: Site, settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = site.url


@contextmanager
def chrome(*hosts: str) -> Iterator[WebDriver]:
    settings = BrowserSettings(time_limit_seconds=3600, resolver_rules=resolver_rules(hosts))
    with running_chrome(settings, lambda group, scratch: None) as running:
        running.driver.set_script_timeout(60)
        yield running.driver


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    """A Chrome that may go to one of the names of this machine."""
    with chrome("127.0.0.1") as running:
        yield running


@pytest.fixture
def confined(driver: WebDriver, site: Site) -> Confinement:
    # Told from the page of the test before by its port.
    site.pages["/"] = f"<title>{site.url}</title><p>hello"
    driver.get(site.url)
    until_shown(lambda: driver.title == site.url)
    return confine(driver)


def shows(driver: WebDriver, url: str) -> str:
    """Where the window is once it has tried to go there."""
    driver.execute_script("document.title = 'before'")
    driver.get(url)
    complete = "return document.title !== 'before' && document.readyState === 'complete'"
    until_shown(lambda: driver.execute_script(complete))
    return str(driver.execute_script("return location.href"))


def test_only_allowed_names_lead_anywhere(driver: WebDriver, confined: Confinement, site: Site) -> None:
    assert shows(driver, site.url) == site.url
    for elsewhere in (site.url.replace("127.0.0.1", "localhost"), site.url.replace("127.0.0.1", "127.0.0.2")):
        assert shows(driver, elsewhere).startswith("chrome-error:")


def test_a_page_can_fetch_nothing_from_elsewhere(driver: WebDriver, confined: Confinement, site: Site) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    fetched = driver.execute_async_script(
        "const [url, done] = arguments; fetch(url, {mode: 'no-cors'}).then(() => done('came'), () => done('failed'))",
        elsewhere,
    )
    assert fetched == "failed"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "data:text/html,<p>x", "chrome://version/", "about:srcdoc"])
def test_a_window_that_leaves_the_school_ends_the_login(driver: WebDriver, confined: Confinement, url: str) -> None:
    driver.get(url)
    until_shown(lambda: not driver.current_url.startswith("http"))
    with pytest.raises(LoginFailed, match="own pages only"):
        confined.check(driver.current_url if driver.current_url != "about:blank" else url)
    driver.get("about:blank")


def test_nothing_is_downloaded(driver: WebDriver, confined: Confinement, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = "secret"
    click = "const a = document.createElement('a'); a.href = '/file'; a.download = 'taken.bin'; a.click()"
    to = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", to)
    driver.execute_script(click)
    until(lambda: (tmp_path / "taken.bin").exists(), "the download of a Chrome that may")
    (tmp_path / "taken.bin").unlink()
    confine(driver)
    driver.execute_script(click)
    driver.execute_script(click)
    assert shows(driver, site.url) == site.url
    places = (tmp_path, Path.cwd(), Path.home(), Path.home() / "Downloads")
    assert not [found for place in places for found in place.glob("taken*")]


@pytest.mark.parametrize("name", ["geolocation", "notifications", "camera", "microphone", "clipboard-read"])
def test_no_permission_is_given(driver: WebDriver, confined: Confinement, name: str) -> None:
    state = driver.execute_async_script(
        "const [name, done] = arguments; navigator.permissions.query({name}).then((status) => done(status.state))", name
    )
    assert state == "denied"


def test_other_windows_are_closed_unseen(
    driver: WebDriver, confined: Confinement, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "WINDOWS_SECONDS", 0)
    driver.execute_script("window.open('/other')")
    until(lambda: len(driver.window_handles) == 2, "the second window")
    confined.check(site.url)
    assert len(driver.window_handles) == 1
    assert driver.execute_script("return location.href") == site.url


def test_a_file_dialog_opens_nothing(driver: WebDriver, confined: Confinement, site: Site) -> None:
    site.pages["/upload"] = "<title>upload</title><input type=file style='width: 300px; height: 300px'>"
    shows(driver, f"{site.url}upload")
    for kind in ("mousePressed", "mouseReleased"):
        event = {"type": kind, "x": 100, "y": 100, "button": "left", "buttons": 1, "clickCount": 1}
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    assert driver.execute_script("return document.querySelector('input').files.length") == 0


# Which hosts


def test_the_school_and_what_the_settings_trust_are_allowed(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "https://xipuai.xjtlu.edu.cn/"
    settings.XIPU_TRUSTED_HOSTS = ["vpn.example"]
    settings.XIPU_SIGN_ON_HOSTS = ["*.idp.example"]
    hosts = allowed_hosts()
    for url in ("https://sso.xjtlu.edu.cn/login", "https://vpn.example/", "http://a.idp.example/x"):
        assert may_be_shown(url, hosts)
    for url in (
        "https://xjtlu.edu.cn.evil.example/",
        "https://evilxjtlu.edu.cn/",
        "http://127.0.0.1/",
        "http://[::1]/",
    ):
        assert not may_be_shown(url, hosts)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "data:text/html,x", "chrome://net-internals", "javascript:1", ""]
)
def test_no_page_but_the_schools_may_be_shown(url: str) -> None:
    assert not may_be_shown(url, allowed_hosts())


def test_a_simulated_school_goes_by_all_names_of_this_machine(settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = "http://127.0.0.1:9000/"
    assert may_be_shown("http://localhost:9000/sso", allowed_hosts())


def test_a_proxy_of_the_environment_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert resolver_rules(["a.example"]) == "MAP * ~NOTFOUND, EXCLUDE a.example, EXCLUDE proxy.example"
