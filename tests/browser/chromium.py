"""Starting a real Chromium, with a profile of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tokens.chrome import UNUSED_FEATURES
from tokens.programs import find_programs

# One process shows all pages: a new one for each, and those that Chrome holds ready, are a sixth of a test's CPU.
ONE_PROCESS = ("--renderer-process-limit=1", "--disable-site-isolation-trials")
PROCESSES_HELD_READY = ("BackForwardCache", "SpareRendererForSitePerProcess")
PAGE_SECONDS = 60
DRIVER_TRIES = 3


@contextmanager
def running_chromium() -> Iterator[Chrome]:
    """Chromium without a window; afterwards it and its profile are gone."""
    programs = find_programs(chrome=os.environ.get("CHROME_BINARY"), driver=os.environ.get("CHROMEDRIVER"))
    with TemporaryDirectory(prefix="gateway-browser-", ignore_cleanup_errors=True) as profile:
        driver = started_chromium(programs.driver, _options(programs.chrome, profile), profile)
        driver.set_page_load_timeout(PAGE_SECONDS)
        driver.set_script_timeout(PAGE_SECONDS)
        try:
            yield driver
        finally:
            driver.quit()


def started_chromium(driver: str, options: ChromeOptions, scratch: str) -> Chrome:
    """Again where the driver ended at once: the port it was told may be another process's by then."""

    def start() -> Chrome:
        return Chrome(options, ChromeService(driver, env={**os.environ, "TMPDIR": scratch}))

    for _ in range(DRIVER_TRIES - 1):
        with suppress(WebDriverException):
            return start()
    return start()


def _options(binary: str, profile: str) -> ChromeOptions:
    options = ChromeOptions()
    options.binary_location = binary
    # A test answers a page's question itself.
    options.unhandled_prompt_behavior = "ignore"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Of all that it could note, the requests.
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    for argument in _arguments(profile):
        options.add_argument(argument)
    return options


def _arguments(profile: str) -> list[str]:
    arguments = [
        *("--headless=new", f"--user-data-dir={profile}", "--lang=en-US", "--no-first-run", "--mute-audio"),
        *("--no-default-browser-check", "--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--disable-extensions", "--password-store=basic", "--hide-scrollbars"),
        f"--disable-features={','.join((*UNUSED_FEATURES, *PROCESSES_HELD_READY))}",
        *ONE_PROCESS,
        # Containers have a small /dev/shm, in which Chrome crashes.
        "--disable-dev-shm-usage",
    ]
    # Chrome's own sandbox cannot run as root.
    return [*arguments, "--no-sandbox"] if os.geteuid() == 0 else arguments
