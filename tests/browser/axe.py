"""axe-core: what a page keeps from people with a keyboard, a screen reader or weak eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.browser import Browser
from tests.clients.nodejs import installed

SOURCES = Path(__file__).parent / "node"
GRAVE = {"serious", "critical"}
# The interface of the API's documentation is Swagger UI's own.
RUN = """
const done = arguments[arguments.length - 1];
axe.run({exclude: [".swagger-ui"]}, {resultTypes: ["violations"]})
  .then((result) => done(result.violations), (error) => done(String(error)));
"""


def axe_script(cache: Path) -> str:
    """The source of axe-core, of the version in `node/package-lock.json`. Skips the test where Node is missing."""
    return (installed(cache, SOURCES) / "axe-core" / "axe.min.js").read_text()


def barriers(browser: Browser, axe: str) -> list[str]:
    """The page's serious and critical faults, a line for each element."""
    if not browser.script("return Boolean(window.axe)"):
        browser.script(axe)
    violations = browser.driver.execute_async_script(RUN)
    assert isinstance(violations, list), violations
    grave = [violation for violation in violations if violation["impact"] in GRAVE]
    return [line(violation, node) for violation in grave for node in violation["nodes"]]


def line(violation: dict[str, Any], node: dict[str, Any]) -> str:
    reason = " ".join(node["failureSummary"].split()[:60])
    return f"{violation['impact']} {violation['id']} at {node['target']}: {reason} | {node['html'][:160]}"
