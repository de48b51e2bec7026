from __future__ import annotations

import os
import platform
import shutil
import subprocess
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tokens.errors import ChromeMissing
from tokens.management.commands import install_chrome
from tokens.programs import Programs

FOUND = Programs("/usr/bin/chromium", "/usr/bin/chromedriver", 140)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; none of them runs for real."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def on(monkeypatch: pytest.MonkeyPatch, system: str, *found: Programs | None, user: int = 0) -> None:
    answers = iter(found)
    monkeypatch.setattr(install_chrome, "find_installed", lambda **_: next(answers))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": system, "ID_LIKE": "debian"})
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(install_chrome, "_has_chinese_font", lambda: True)


def test_what_is_found_is_printed_and_nothing_is_run(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    on(monkeypatch, "debian", FOUND)
    call_command("install_chrome")
    assert "/usr/bin/chromedriver" in capsys.readouterr().out
    assert ran == []


def test_debian_gets_its_packages_installed(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "debian", None, FOUND)
    call_command("install_chrome")
    assert [command[2:4] for command in ran] == [["apt-get", "update"], ["apt-get", "install"]]


def test_derivatives_of_debian_count_as_debian(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "raspbian", None, FOUND)
    call_command("install_chrome")
    assert len(ran) == 2


def test_ubuntus_snap_is_not_installed(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "ubuntu", None)
    with pytest.raises(CommandError, match="snap"):
        call_command("install_chrome")
    assert ran == []


def test_a_user_without_sudo_is_told_what_to_run(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "debian", None, user=1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CommandError, match="sudo apt-get install chromium chromium-driver"):
        call_command("install_chrome")


def test_a_sudo_that_asks_nothing_is_used(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "debian", None, FOUND, user=1000)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/sudo")
    call_command("install_chrome")
    assert all(command[:2] == ["/usr/bin/sudo", "-n"] for command in ran)


def test_a_failed_installation_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "debian", None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 100))
    with pytest.raises(CommandError, match="apt-get update failed"):
        call_command("install_chrome")


def test_a_wrong_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ChromeMissing("CHROME_BINARY is set to /nowhere, which cannot be run.")

    monkeypatch.setattr(install_chrome, "find_installed", refuse)
    with pytest.raises(CommandError, match="CHROME_BINARY"):
        call_command("install_chrome")


def test_a_missing_chinese_font_is_installed_too(monkeypatch: pytest.MonkeyPatch, ran: list[list[str]]) -> None:
    on(monkeypatch, "ubuntu", FOUND)
    monkeypatch.setattr(install_chrome, "_has_chinese_font", lambda: False)
    call_command("install_chrome")
    assert [command[-1] for command in ran] == ["update", install_chrome.FONT]


def test_where_no_font_can_be_installed_it_says_so(
    monkeypatch: pytest.MonkeyPatch, ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    on(monkeypatch, "arch", FOUND)
    monkeypatch.setattr(install_chrome, "_has_chinese_font", lambda: False)
    call_command("install_chrome")
    assert "No Chinese font" in capsys.readouterr().out
    assert ran == []
