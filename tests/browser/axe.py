"""axe-core: what a page keeps from people with a keyboard, a screen reader or weak eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.browser import Browser
from tests.clients.nodejs import installed

SOURCES = Path(__file__).parent / "node"
GRAVE = {"moderate", "serious", "critical"}
THEMES = {"landmark-one-main", "region"}
"""Rules that the admin's theme breaks on each of its pages: it has no main part."""

# The interface of the API's documentation is Swagger UI's own; the admin's theme scrolls its boxes by SimpleBar.
RUN = """
const done = arguments[arguments.length - 1];
axe.run({exclude: [".swagger-ui", ".simplebar-wrapper"]}, {resultTypes: ["violations"]})
  .then((result) => done(result.violations), (error) => done(String(error)));
"""


def axe_script(cache: Path) -> str:
    """The source of axe-core, of the version in `node/package-lock.json`. Skips the test where Node is missing."""
    return (installed(cache, SOURCES) / "axe-core" / "axe.min.js").read_text()


def barriers(browser: Browser, axe: str) -> list[str]:
    """The page's faults, a line for each element. Minor ones are left out."""
    if not browser.script("return Boolean(window.axe)"):
        browser.script(axe)
    violations = browser.driver.execute_async_script(RUN)
    assert isinstance(violations, list), violations
    themes = THEMES if browser.path.startswith("/admin/") else set()
    grave = [each for each in violations if each["impact"] in GRAVE and each["id"] not in themes]
    return [line(violation, node) for violation in grave for node in violation["nodes"]]


def line(violation: dict[str, Any], node: dict[str, Any]) -> str:
    reason = " ".join(node["failureSummary"].split()[:60])
    return f"{violation['impact']} {violation['id']} at {node['target']}: {reason} | {node['html'][:160]}"
