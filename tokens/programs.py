"""Finding Chrome and its driver: settings first, then well-known names and places, then Selenium Manager."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokens.errors import ChromeMissing

CHROMES = (
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
DRIVERS = (
    "chromedriver",
    "/usr/lib/chromium/chromedriver",
    "/usr/lib/chromium-browser/chromedriver",
    "/usr/lib64/chromium-browser/chromedriver",
    "/usr/local/bin/chromedriver",
    "/opt/homebrew/bin/chromedriver",
)
VERSION_SECONDS = 20
DOWNLOAD_SECONDS = 60

FIX = (
    "Run `python manage.py install_chrome`, or install Chrome or Chromium with the chromedriver of the same version, "
    "and set CHROME_BINARY and CHROMEDRIVER where they are in an unusual place."
)


@dataclass(frozen=True)
class Programs:
    """Paths of a browser and of the driver that fits it, and the browser's major version."""

    chrome: str
    driver: str
    version: int


def find_programs(*, chrome: str | None, driver: str | None) -> Programs:
    """Return what is installed, else what Selenium Manager can fetch. Raises ChromeMissing with the fix."""
    return find_installed(chrome=chrome, driver=driver) or _fetched(chrome)


def find_installed(*, chrome: str | None, driver: str | None) -> Programs | None:
    """Return a browser and a driver of one version, without asking the network.

    `chrome` and `driver` are paths that a person has set; raises ChromeMissing when one of them cannot be run.
    """
    browsers = [_given(chrome, "CHROME_BINARY")] if chrome else _existing(CHROMES)
    drivers = [_given(driver, "CHROMEDRIVER")] if driver else _existing(DRIVERS)
    for browser in browsers:
        version = _major_version(browser)
        for candidate in drivers:
            if version is not None and version == _major_version(candidate):
                return Programs(browser, candidate, version)
    return None


def _given(path: str, variable: str) -> str:
    found = shutil.which(path)
    if found is None or _major_version(found) is None:
        raise ChromeMissing(f"{variable} is set to {path}, which cannot be run. {FIX}")
    return found


def _existing(names: tuple[str, ...]) -> list[str]:
    return [found for found in map(shutil.which, names) if found is not None]


def version_of(path: str) -> str:
    """Such as `142.0.7444.59`; "" for what cannot be run. A long-lived worker asks again after an upgrade."""
    try:
        return _asked_version(path, os.stat(path).st_mtime_ns)
    except OSError:
        return ""


def _major_version(path: str) -> int | None:
    major = version_of(path).partition(".")[0]
    return int(major) if major else None


@lru_cache
def _asked_version(path: str, _modified: int) -> str:
    """Ask the program itself: Ubuntu's `chromium-browser` may be a stub that only names a snap."""
    try:
        asked = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"\b\d+(?:\.\d+){3}\b", asked.stdout)
    return match.group() if match and asked.returncode == 0 else ""


def _fetched(chrome: str | None) -> Programs:
    # Here, for who only looks at what is installed needs no Selenium.
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.selenium_manager import SeleniumManager

    arguments = ["--browser", "chrome", "--avoid-stats", "--timeout", str(DOWNLOAD_SECONDS)]
    known = next(iter([chrome] if chrome else _existing(CHROMES)), None)
    if known:
        arguments += ["--browser-path", known]
    try:
        paths = SeleniumManager().binary_paths(arguments)
    except WebDriverException:
        raise ChromeMissing(f"No Chrome with a driver of the same version was found. {FIX}") from None
    browser, driver = str(paths["browser_path"]), str(paths["driver_path"])
    version = _major_version(browser) if Path(driver).is_file() else None
    if version is None:
        raise ChromeMissing(f"The Chrome that was found cannot be run. {FIX}")
    return Programs(browser, driver, version)
