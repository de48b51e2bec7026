"""The table of `docs/clients.md` says what these tests do, with the versions that they use."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.clients.nodejs import SOURCES
from tests.processes import ROOT

FILES = {
    "`openai` for Python": "test_openai_python.py",
    "`langchain-openai`": "test_langchain.py",
    "`llm`": "test_llm_tool.py",
    "`openai` for Node": "test_openai_node.py",
    "Vercel AI SDK": "test_ai_sdk.py",
}
TESTS = {
    "text": "a_text_comes",
    "streaming": "a_stream",
    "tools": "a_tool_is_called",
    "structured output": "answer_is_parsed|answer_fits",
    "images": "an_image",
    "reasoning": "reasoning_is_read",
    "errors": "bad_key|filter|mid_stream",
    "leaving": "client_that_leaves",
}


def table() -> dict[str, dict[str, str]]:
    """The cells of the first table, by client and column."""
    section = (ROOT / "docs" / "clients.md").read_text().partition("\n## Tested\n")[2]
    lines = next(block for block in section.split("\n\n") if block.startswith("|")).splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def pinned() -> set[tuple[str, str]]:
    """The clients' names and versions in pyproject.toml and package.json."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    python = {tuple(each.split("==")) for each in groups["dev"] if re.match("(openai|langchain-openai|llm)==", each)}
    node = json.loads((SOURCES / "package.json").read_text())["dependencies"]
    return python | {(name, version) for name, version in node.items() if name != "zod"}


def test_the_versions_are_those_that_are_pinned() -> None:
    cells = " ".join(row["version"] for row in table().values())
    assert set(re.findall(r"`([^`]+)` ([\d.]+)", cells)) == pinned()


def test_every_client_has_a_row() -> None:
    assert table().keys() == FILES.keys()


@pytest.mark.parametrize(("client", "file"), FILES.items())
def test_what_is_ticked_has_a_test_and_nothing_else_has(client: str, file: str) -> None:
    names = "\n".join(re.findall(r"^def test_(\w+)", (Path(__file__).parent / file).read_text(), re.MULTILINE))
    ticks = {feature: "✓" if re.search(words, names) else "–" for feature, words in TESTS.items()}
    assert {feature: table()[client][feature] for feature in TESTS} == ticks
