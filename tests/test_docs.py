"""The documentation names what there is, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.settings import VARIABLES

ROOT = Path(__file__).parent.parent
NAME = re.compile(r"`([A-Z][A-Z0-9_]+)`")


def example_lines() -> Iterator[str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return (line for line in lines if line and not line.startswith("#"))


def readme_names() -> set[str]:
    """Names in the first column of the configuration table."""
    section = (ROOT / "README.md").read_text().partition("\n## Configuration\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in NAME.findall(cell)}


def test_readme_lists_every_variable_and_no_other() -> None:
    assert readme_names() == VARIABLES


def test_the_example_lists_every_variable_once_and_no_other() -> None:
    assert sorted(line.partition("=")[0] for line in example_lines()) == sorted(VARIABLES)


def test_readme_and_help_list_every_target_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    assert {target for target in targets if f"`make {target}`" not in readme} <= {"help", "clean"}
