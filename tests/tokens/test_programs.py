from __future__ import annotations

import os
from pathlib import Path

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.selenium_manager import SeleniumManager

from tokens import programs
from tokens.errors import ChromeMissing
from tokens.programs import Programs, find_installed, find_programs


class Machine:
    """A machine on which only the programs that a test makes are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, name: str, says: str, status: int = 0) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
        path.chmod(0o755)
        return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "CHROMES", ("chromium", "google-chrome"))
    monkeypatch.setattr(programs, "DRIVERS", ("chromedriver", "other-driver"))
    return Machine(tmp_path)


def test_a_browser_and_its_driver_are_found_by_name(machine: Machine) -> None:
    chrome = machine.program("chromium", "Chromium 140.0.7339.80 built on Debian")
    driver = machine.program("chromedriver", "ChromeDriver 140.0.7339.80 (abc)")
    assert find_installed(chrome=None, driver=None) == Programs(chrome, driver, 140)


def test_a_driver_of_another_version_is_passed_over(machine: Machine) -> None:
    machine.program("chromium", "Chromium 140.0.7339.80")
    machine.program("chromedriver", "ChromeDriver 139.0.1.2")
    driver = machine.program("other-driver", "ChromeDriver 140.0.1.2")
    found = find_installed(chrome=None, driver=None)
    assert found is not None
    assert found.driver == driver


def test_a_stub_that_names_a_snap_is_no_browser(machine: Machine) -> None:
    machine.program("chromium", "Command requires the chromium snap to be installed.", status=1)
    chrome = machine.program("google-chrome", "Google Chrome 140.0.7339.80")
    machine.program("chromedriver", "ChromeDriver 140.0.7339.80")
    found = find_installed(chrome=None, driver=None)
    assert found is not None
    assert found.chrome == chrome


def test_a_path_that_is_set_goes_first(machine: Machine) -> None:
    machine.program("chromium", "Chromium 140.0.7339.80")
    mine = machine.program("my-chrome", "Google Chrome 140.0.7339.80")
    machine.program("chromedriver", "ChromeDriver 140.0.7339.80")
    found = find_installed(chrome=mine, driver=None)
    assert found is not None
    assert found.chrome == mine


@pytest.mark.parametrize("variable", ["CHROME_BINARY", "CHROMEDRIVER"])
def test_a_path_that_is_set_wrongly_is_named(machine: Machine, variable: str) -> None:
    wrong = {"chrome": "/nowhere"} if variable == "CHROME_BINARY" else {"driver": "/nowhere"}
    with pytest.raises(ChromeMissing, match=f"{variable} is set to /nowhere"):
        find_installed(**{"chrome": None, "driver": None, **wrong})


def test_a_machine_without_chrome_gets_the_fix_in_words(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeleniumManager, "binary_paths", _no_binaries)
    with pytest.raises(ChromeMissing, match="install_chrome"):
        find_programs(chrome=None, driver=None)


def _no_binaries(self: object, arguments: list[str]) -> dict[str, str]:
    raise WebDriverException("offline")


def test_selenium_manager_is_asked_for_the_driver_of_the_chrome_that_is_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chrome = machine.program("google-chrome", "Google Chrome 140.0.7339.80")
    driver = machine.program("fetched-driver", "ChromeDriver 140.0.7339.80")
    asked: list[list[str]] = []

    def answer(self: object, arguments: list[str]) -> dict[str, str]:
        asked.append(arguments)
        return {"browser_path": chrome, "driver_path": driver}

    monkeypatch.setattr(SeleniumManager, "binary_paths", answer)
    assert find_programs(chrome=None, driver=None) == Programs(chrome, driver, 140)
    assert asked[0][-2:] == ["--browser-path", chrome]


def test_an_upgrade_is_noticed(machine: Machine) -> None:
    driver = machine.program("chromedriver", "ChromeDriver 141.0.0.1")
    chrome = machine.program("chromium", "Chromium 140.0.0.1")
    assert find_installed(chrome=None, driver=None) is None
    machine.program("chromium", "Chromium 141.0.0.1")
    os.utime(chrome, (1, 1))
    assert find_installed(chrome=None, driver=None) == Programs(chrome, driver, 141)
