"""Starting and ending one Chrome: a process group and scratch directory of its own, a hard time limit, nothing left."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from selenium.webdriver.common.proxy import Proxy
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError
from websocket import WebSocketException

from tokens import leftovers
from tokens.errors import ChromeFailed, LoginTimedOut
from tokens.programs import Programs, find_programs
from tokens.selectors import with_extra

SCRIPT_SECONDS = 5
DRIVER_START_SECONDS = 30.0
DRIVER_SETTLES_SECONDS = 10.0
DRIVER_TRIES = 3

BREAKS = (WebDriverException, HTTPError, WebSocketException, ConnectionError)
"""What Selenium raises when Chrome, its driver or a command breaks off."""

# Chrome runs pages of others: it gets what it needs to run, and none of the gateway's secrets.
PASSED_ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")

PLATFORMS = {"darwin": "Macintosh; Intel Mac OS X 10_15_7"}
LINUX = "X11; Linux x86_64"
UNUSED_FEATURES = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
"""Pages of the address bar, which nobody sees here: to load them is 45 % of the CPU of a start (Chromium 156)."""


@dataclass(frozen=True)
class BrowserSettings:
    """`extra_selectors` go in front of the known ones, by field (see selectors.py).

    `time_limit_seconds` bounds the whole login, `patience_seconds` a page on which nothing happens. `switches` are
    further arguments of Chrome. Where `keeps_dialogs`, a page's own boxes stay open and commands raise
    `UnexpectedAlertPresentException` meanwhile; else they are dismissed unseen.
    """

    chrome_binary: str | None = None
    chromedriver: str | None = None
    time_limit_seconds: float = 120.0
    patience_seconds: float = 15.0
    switches: Sequence[str] = ()
    keeps_dialogs: bool = False
    extra_selectors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with_extra(self.extra_selectors)


class Chrome:
    """A running Chrome. `expired` is true once the time limit has ended it."""

    def __init__(self, driver: WebDriver, watchdog: _Watchdog, user_agent: str) -> None:
        self.driver = driver
        self.user_agent = user_agent
        self._watchdog = watchdog

    @property
    def expired(self) -> bool:
        return self._watchdog.expired.is_set()

    @property
    def seconds_left(self) -> float:
        return self._watchdog.deadline - time.monotonic()

    def end(self) -> None:
        """End it now, from any thread: what waits for it breaks off."""
        self._watchdog.end()


@contextmanager
def running_chrome(settings: BrowserSettings, started: Callable[[int, Path], None]) -> Iterator[Chrome]:
    """Run a headless Chrome for the body; afterwards none of its processes lives and its scratch directory is gone.

    `started` gets the process group and the scratch directory before Chrome itself starts, for `end_chrome`.
    Raises ChromeMissing, ChromeFailed, and LoginTimedOut when the time limit ends Chrome before it has started.
    """
    # At DEBUG Selenium prints each command with its typed keys, and each event with its headers.
    logging.getLogger("selenium").setLevel(logging.WARNING)
    # Chrome is ended without a goodbye, which its socket reports as an error each time.
    logging.getLogger("websocket").setLevel(logging.CRITICAL)
    programs = find_programs(chrome=settings.chrome_binary, driver=settings.chromedriver)
    scratch = Path(tempfile.mkdtemp(prefix=leftovers.SCRATCH_PREFIX))
    process: subprocess.Popen[bytes] | None = None
    try:
        process = _living_driver(programs.driver, scratch, started)
        with _Watchdog(process.pid, settings.time_limit_seconds) as watchdog:
            driver = _start_browser(programs, process, scratch, watchdog, settings)
            yield Chrome(driver, watchdog, desktop_user_agent(programs.version))
    finally:
        if process is not None:
            leftovers.kill(process.pid)
            process.wait()
        leftovers.remove(scratch)


class _Watchdog:
    """Kills the process group at the deadline, or when told to, whatever Selenium is doing."""

    def __init__(self, group: int, seconds: float) -> None:
        self.expired = threading.Event()
        self.deadline = time.monotonic() + seconds
        self._group = group
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            self._is_over = True

    def end(self) -> None:
        """Afterwards the group's id may be another's: it is left alone then."""
        with self._lock:
            if not self._is_over:
                leftovers.kill(self._group)

    def _expire(self) -> None:
        self.expired.set()
        leftovers.kill(self._group)


def desktop_user_agent(version: int, platform: str = sys.platform) -> str:
    """Return what the same Chrome with a window would send: headless Chrome names itself in its user agent."""
    system = PLATFORMS.get(platform, LINUX)
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"


def _living_driver(path: str, scratch: Path, started: Callable[[int, Path], None]) -> subprocess.Popen[bytes]:
    """A driver that has not ended at once: the port it chooses may be taken before it has bound all its addresses."""
    process = _noted_driver(path, scratch, started)
    for _ in range(DRIVER_TRIES - 1):
        deadline = time.monotonic() + DRIVER_SETTLES_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not _said_port(scratch):
            time.sleep(0.02)
        if process.poll() is None:
            break
        process = _noted_driver(path, scratch, started)
    return process


def _noted_driver(path: str, scratch: Path, started: Callable[[int, Path], None]) -> subprocess.Popen[bytes]:
    """A new driver, of which somebody else knows before it can start a Chrome."""
    process = _start_driver(path, scratch)
    try:
        started(process.pid, scratch)
    except BaseException:
        leftovers.kill(process.pid)
        process.wait()
        raise
    return process


def _start_driver(path: str, scratch: Path) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ}
    for name in ("TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment[name] = str(scratch)
    with (scratch / "driver.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [path, "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=scratch,
            start_new_session=True,
        )


def _start_browser(
    programs: Programs, process: subprocess.Popen[bytes], scratch: Path, watchdog: _Watchdog, settings: BrowserSettings
) -> WebDriver:
    try:
        return _connected(_driver_port(process, scratch), _options(programs, scratch, settings))
    except BREAKS as error:
        if watchdog.expired.is_set():
            raise LoginTimedOut("Chrome had not started when the time limit was reached.") from None
        raise ChromeFailed(f"Chrome did not start: {first_line(error)}") from None


def _driver_port(process: subprocess.Popen[bytes], scratch: Path) -> int:
    """Wait for the port that the driver has chosen and says on its standard output."""
    deadline = time.monotonic() + DRIVER_START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if port := _said_port(scratch):
            return port
        time.sleep(0.02)
    raise WebDriverException("the driver did not say on which port it listens")


def _said_port(scratch: Path) -> int | None:
    said = (scratch / "driver.log").read_text(errors="replace")
    match = re.search(r"started successfully on port (\d+)", said)
    return int(match.group(1)) if match else None


def _connected(port: int, options: Options) -> WebDriver:
    _keep_loopback_direct()
    address = f"http://127.0.0.1:{port}"
    # Without DIRECT a proxy of the environment would get the commands, typed passwords included.
    config = ClientConfig(
        remote_server_addr=address, proxy=Proxy({"proxyType": "DIRECT"}), timeout=120, websocket_timeout=30
    )
    # Other detectors take a typed text that names a file on this machine for an upload.
    driver = WebDriver(
        ChromeRemoteConnection(address, client_config=config),
        options=options,
        file_detector=UselessFileDetector(),
    )
    driver.set_script_timeout(SCRIPT_SECONDS)
    return driver


def _keep_loopback_direct() -> None:
    """Selenium's WebSocket to the driver asks the environment for a proxy, and can be told otherwise nowhere else."""
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = list(filter(None, (name.strip() for name in spared.split(","))))
    missing = [name for name in LOOPBACK if name not in names and "*" not in names]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*names, *missing])


def _options(programs: Programs, scratch: Path, settings: BrowserSettings) -> Options:
    options = Options()
    options.binary_location = programs.chrome
    options.enable_bidi = True
    # Pages are polled: no command may wait for a page that never finishes loading.
    options.page_load_strategy = "none"
    options.unhandled_prompt_behavior = "ignore" if settings.keeps_dialogs else "dismiss"
    for argument in (*_arguments(programs.version, scratch), *settings.switches):
        options.add_argument(argument)
    return options


def _arguments(version: int, scratch: Path) -> list[str]:
    arguments = [
        "--headless=new",
        f"--user-data-dir={scratch / 'profile'}",
        f"--user-agent={desktop_user_agent(version)}",
        "--window-size=1280,900",
        "--lang=en-US",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-default-apps",
        "--disable-extensions",
        # Containers have a small /dev/shm, in which Chrome crashes.
        "--disable-dev-shm-usage",
        "--password-store=basic",
        "--use-mock-keychain",
        "--mute-audio",
        f"--disable-features={','.join(UNUSED_FEATURES)}",
    ]
    # Chrome's own sandbox cannot run as root.
    return [*arguments, "--no-sandbox"] if os.geteuid() == 0 else arguments


def first_line(error: BaseException) -> str:
    """Return the kind of an error with the first line of its text: Selenium adds stack traces."""
    text = str(getattr(error, "msg", None) or "").strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__
