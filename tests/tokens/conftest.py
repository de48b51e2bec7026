"""A simulated school for the browser, a watcher that remembers, and pages of one's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tokens.stand_ins import PASSWORD, USERNAME, LogIn, RememberingWatcher, SimulatedSchool, Site, served_site
from tokens import browser
from tokens.browser import BrowserSettings, Capture, log_in
from tokens.network import Request

PATIENCE_SECONDS = 60.0
"""With a page on which nothing happens, where a test waits for no such thing."""


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatedSchool]:
    command = [sys.executable, "-m", "simulator", "--port", "0"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield SimulatedSchool(process.stdout.readline().split()[-1])
        finally:
            process.terminate()


@pytest.fixture
def school(simulator: SimulatedSchool) -> SimulatedSchool:
    simulator.ask("reset")
    simulator.set(element_delay_ms=20, interval=0.1)
    return simulator


@pytest.fixture
def watcher() -> RememberingWatcher:
    return RememberingWatcher()


@pytest.fixture
def log_in_now(school: SimulatedSchool, watcher: RememberingWatcher) -> LogIn:
    """Log the demo user in at the simulator; keyword arguments replace those of `log_in`."""

    def log_in_with(patience: float = PATIENCE_SECONDS, **changes: Any) -> Capture:
        arguments: dict[str, Any] = {
            "portal_url": school.url,
            "username": USERNAME,
            "password": PASSWORD,
            "sign_on_cookies": [],
            "watcher": watcher,
            "browser": BrowserSettings(patience_seconds=patience),
        }
        return log_in(**{**arguments, **changes})

    return log_in_with


@pytest.fixture
def short_wait_for_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chat page's silence is waited for less long than for the pages before it, which a busy machine shows late."""
    wait = browser._Login._token_request

    def hurried(login: browser._Login) -> Request | None:
        login._settings = replace(login._settings, patience_seconds=1.0)
        return wait(login)

    monkeypatch.setattr(browser._Login, "_token_request", hurried)


@pytest.fixture
def site() -> Iterator[Site]:
    with served_site() as made:
        yield made
