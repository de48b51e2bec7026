"""What a live login's Chrome cannot do, tried in a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from selenium.webdriver.remote.webdriver import WebDriver

from tests.conftest import until
from tests.tokens.stand_ins import Site, served_site, until_shown
from tokens.chrome import BrowserSettings, running_chrome
from tokens.errors import LoginFailed
from tokens.live import confinement
from tokens.live.confinement import Confinement, confine
from tokens.live.places import place_of
from tokens.live.routes import switches
from tokens.network import Network


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served_site() as made:
        yield made


@pytest.fixture(autouse=True)
def _portal_on_site(site: Site, settings: Settings) -> None:
    settings.XIPU_PORTAL_URL = site.url


Steps = list[tuple[str, str]]


@pytest.fixture(scope="module")
def driver(site: Site) -> Iterator[WebDriver]:
    """A Chrome that may go to one origin."""
    settings = BrowserSettings(time_limit_seconds=3600, switches=switches([place_of(site.url)]))
    with running_chrome(settings, lambda group, scratch: None) as running:
        running.driver.set_script_timeout(60)
        yield running.driver


@pytest.fixture
def network(driver: WebDriver) -> Network:
    made = Network(driver)
    made.listen()
    return made


@pytest.fixture
def steps() -> Steps:
    return []


@pytest.fixture
def confined(driver: WebDriver, site: Site, steps: Steps) -> Confinement:
    site.pages.clear()
    site.pages["/"] = "<title>start</title><p>hello"
    driver.get(site.url)
    until_shown(lambda: driver.title == "start" and driver.execute_script("return location.pathname") == "/")
    return confine(driver, lambda name, detail: steps.append((name, detail)))


def shows(driver: WebDriver, url: str) -> str:
    """Where the window is once it has tried to go there."""
    driver.execute_script("document.title = 'before'")
    driver.get(url)
    complete = "return document.title !== 'before' && document.readyState === 'complete'"
    until_shown(lambda: driver.execute_script(complete))
    return str(driver.execute_script("return location.href"))


def test_only_the_allowed_origin_leads_anywhere(driver: WebDriver, confined: Confinement, site: Site) -> None:
    assert shows(driver, site.url) == site.url
    for elsewhere in (site.url.replace("127.0.0.1", "localhost"), site.url.replace("127.0.0.1", "127.0.0.2")):
        assert shows(driver, elsewhere).startswith("chrome-error:")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "data:text/html,<p>x", "chrome://version/", "about:srcdoc"])
def test_a_window_that_leaves_the_school_ends_the_login(driver: WebDriver, confined: Confinement, url: str) -> None:
    driver.get(url)
    until_shown(lambda: not driver.current_url.startswith("http"))
    with pytest.raises(LoginFailed, match="own pages only"):
        confined.check(driver.current_url if driver.current_url != "about:blank" else url, [])
    driver.get("about:blank")


def test_nothing_is_downloaded(driver: WebDriver, confined: Confinement, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = "secret"
    click = "const a = document.createElement('a'); a.href = '/file'; a.download = 'taken.bin'; a.click()"
    to = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", to)
    driver.execute_script(click)
    until(lambda: (tmp_path / "taken.bin").exists(), "the download of a Chrome that may")
    (tmp_path / "taken.bin").unlink()
    confine(driver, lambda name, detail: None)
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


def test_other_windows_are_closed_unseen_and_the_person_is_told_once(
    driver: WebDriver, confined: Confinement, site: Site, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "WINDOWS_SECONDS", 0)
    for _ in range(2):
        driver.execute_script("window.open('/other')")
        until(lambda: len(driver.window_handles) == 2, "the second window")
        confined.check(site.url, [])
        assert len(driver.window_handles) == 1
    assert driver.execute_script("return location.href") == site.url
    assert steps == [("closed another window", "A live login has one window.")]


def test_a_window_that_closes_by_itself_harms_nothing(
    driver: WebDriver, confined: Confinement, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "WINDOWS_SECONDS", 0)
    storm = "setInterval(() => { const w = open('/other'); setTimeout(() => w && w.close(), Math.random() * 60) }, 70)"
    driver.execute_script(f"opened = 0; {storm}; setInterval(() => opened++, 70)")
    while not driver.execute_script("return opened > 40"):
        confined.check(site.url, [])
    driver.get("about:blank")
    while len(driver.window_handles) > 1:
        confined.check("about:blank", [])


# What the person is told


def until_blocked(confined: Confinement, network: Network, url: str, steps: Steps) -> None:
    def is_told() -> bool:
        confined.check(url, network.requests)
        return bool(steps)

    until(is_told, "the step")


def test_a_site_that_was_blocked_is_told_once(
    driver: WebDriver, confined: Confinement, network: Network, site: Site, steps: Steps
) -> None:
    site.pages["/captcha"] = "<script src='https://t.captcha.example/a.js'></script>" * 2
    shows(driver, f"{site.url}captcha")
    until_blocked(confined, network, site.url, steps)
    advice = "If the school's sign-on needs it, the gateway's admin adds it to XIPU_SIGN_ON_HOSTS."
    assert steps == [("blocked another site", f"t.captcha.example. {advice}")]


def test_a_sign_on_that_has_moved_is_named(
    driver: WebDriver, confined: Confinement, network: Network, site: Site, steps: Steps
) -> None:
    site.pages["/moved"] = "<script>location.href = 'https://id.xjtlu.example/login?ticket=secret'</script>"
    driver.get(f"{site.url}moved")
    until_shown(lambda: driver.execute_script("return location.href").startswith("chrome-error:"))
    with pytest.raises(LoginFailed, match=r"led to id\.xjtlu\.example, which .* XIPU_SIGN_ON_HOSTS"):
        until_blocked(confined, network, "chrome-error://chromewebdata/", steps)


def test_a_file_dialog_opens_nothing(driver: WebDriver, confined: Confinement, site: Site) -> None:
    site.pages["/upload"] = "<title>upload</title><input type=file style='width: 300px; height: 300px'>"
    shows(driver, f"{site.url}upload")
    for kind in ("mousePressed", "mouseReleased"):
        event = {"type": kind, "x": 100, "y": 100, "button": "left", "buttons": 1, "clickCount": 1}
        driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    assert driver.execute_script("return document.querySelector('input').files.length") == 0
