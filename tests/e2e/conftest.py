"""One running installation for all of these tests of a pytest process, which share it: each has members of its own."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.browser import Browser
from tests.browser.chromium import running_chromium
from tests.browser.failures import show_failure
from tests.e2e.stack import (
    CONDITION_SECONDS,
    INTERVAL_SECONDS,
    SCHOOL_SETTINGS,
    TOLERANCE_SECONDS,
    BusySchool,
    Person,
    Stack,
    running_stack,
)

SHOWN_CHARACTERS = 4000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """A failed test shows what the processes have written last, and what the browser showed."""
    report = yield
    show_failure(item, report)
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        for log in sorted((stack.root / "logs").glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-SHOWN_CHARACTERS:]))
    return report


@pytest.fixture(scope="session")
def _stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="e2e-", ignore_cleanup_errors=True) as folder:
        with running_stack(Path(folder)) as stack:
            yield stack
            check_spacing(stack)
            # A process that was still starting ends by the signal itself.
            assert set(stack.stop().values()) <= {0, -signal.SIGTERM}, "a process did not end well"
        assert stack.left_over() == [], "processes are left"
        assert list((stack.root / "tmp").glob("xipu-chrome-*")) == [], "a Chrome's files are left"


def check_spacing(stack: Stack) -> None:
    """Over everything that was done: no account was ever called twice within the interval."""
    for user in stack.school.users().values():
        calls = user["calls"]
        close = [
            pair for pair in pairwise(calls) if pair[1]["at"] - pair[0]["at"] < INTERVAL_SECONDS - TOLERANCE_SECONDS
        ]
        assert close == [], calls


@pytest.fixture
def stack(_stack: Stack) -> Iterator[Stack]:
    """The installation, with the school's settings as at the start."""
    yield _stack
    _stack.school.clear_faults()
    _stack.school.settings(**SCHOOL_SETTINGS)


@pytest.fixture
def school(stack: Stack) -> BusySchool:
    return stack.school


@pytest.fixture
def member(stack: Stack) -> Person:
    """A member with a pasted token."""
    return stack.member()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chrome]:
    with running_chromium() as driver:
        yield driver


@pytest.fixture
def browser(chromium: Chrome, stack: Stack) -> Iterator[Browser]:
    """Nobody is signed in. The test fails where its pages had errors or asked other hosts for anything."""
    browser = Browser(chromium, at_another_host(stack.url), patience=CONDITION_SECONDS)
    browser.start_anew()
    yield browser
    assert browser.faults() == []


def at_another_host(url: str) -> str:
    """The same by the machine's other name: a host shares its cookies with all its ports, so also with the portal."""
    return url.replace("127.0.0.1", "localhost")
