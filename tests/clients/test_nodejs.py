"""Where the Node clients cannot be installed their tests are skipped, never passed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.nodejs import SOURCES, installed


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_node_the_tests_are_skipped(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="node is not installed"):
        installed(tmp_path / "cache")


def test_with_an_old_node_the_tests_are_skipped(programs: Path, tmp_path: Path) -> None:
    program(programs / "node", "echo v18.20.1")
    program(programs / "npm", "exit 1")
    with pytest.raises(pytest.skip.Exception, match=r"v18\.20\.1 is older than 20"):
        installed(tmp_path / "cache")


def test_where_npm_fails_the_tests_are_skipped_with_its_words(programs: Path, tmp_path: Path) -> None:
    program(programs / "node", "echo v20.0.0")
    program(programs / "npm", "echo no way to the registry >&2; exit 1")
    with pytest.raises(pytest.skip.Exception, match="no way to the registry"):
        installed(tmp_path / "cache")


def test_packages_are_installed_once_for_each_lock_file(programs: Path, tmp_path: Path) -> None:
    program(programs / "node", "echo v20.0.0")
    program(programs / "npm", f"echo installed >> {tmp_path}/runs")
    assert installed(tmp_path / "cache") == installed(tmp_path / "cache")
    assert (tmp_path / "runs").read_text() == "installed\n"


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
