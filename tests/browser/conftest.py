"""A real Chromium at the real web process, on this test's database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.axe import axe_script
from tests.browser.browser import Browser
from tests.browser.chromium import running_chromium
from tests.browser.failures import show_failure
from tests.processes import Process
from tests.school import School


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    with running_chromium() as driver:
        yield driver


@pytest.fixture
def browser(
    chromium: Chrome, gateway_process: tuple[Process, str], school: School, transactional_db: None
) -> Iterator[Browser]:
    """Nobody is signed in. The test fails where its pages had errors or asked other hosts for anything."""
    browser = Browser(chromium, gateway_process[1])
    browser.start_anew()
    yield browser
    assert browser.faults() == []


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """The source of axe-core; without Node the test is skipped."""
    return axe_script(pytestconfig.rootpath / ".pytest_cache" / "axe")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    show_failure(item, report)
    return report
