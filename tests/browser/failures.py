"""A failed test leaves a picture of what the browser showed."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from selenium.common.exceptions import NoAlertPresentException, WebDriverException

from tests.browser.browser import Browser


def show_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and isinstance(browser, Browser):
        file = _folder(item.config.rootpath) / f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', item.name)[:120]}.png"
        # An error here would end the whole run, not only this test.
        try:
            report.sections.append(("browser", _shown(browser, file)))
        except WebDriverException as error:
            report.sections.append(("browser", f"no picture: {type(error).__name__}"))


def _shown(browser: Browser, file: Path) -> str:
    """Where the browser is, and what it asks if it asks anything; its picture is in `file`."""
    question = ""
    with suppress(NoAlertPresentException):
        alert = browser.driver.switch_to.alert
        question = alert.text
        alert.dismiss()
    browser.picture(file)
    return "\n".join(filter(None, [browser.driver.current_url, question, str(file)]))


def _folder(root: Path) -> Path:
    folder = root / ".pytest_cache" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
