"""A failed test leaves a picture of what the browser showed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.browser import Browser


def show_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and isinstance(browser, Browser):
        file = _folder(item.config.rootpath) / f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', item.name)[:120]}.png"
        browser.picture(file)
        report.sections.append(("browser", f"{browser.driver.current_url}\n{file}"))


def _folder(root: Path) -> Path:
    folder = root / ".pytest_cache" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
