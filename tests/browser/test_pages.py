"""What holds for all pages: no barriers, no errors, no other host, no jumps, and room enough on a phone."""

from __future__ import annotations

import re
import time

import pytest

from tests.browser.axe import barriers
from tests.browser.browser import DESKTOP, PHONE, Browser
from tests.browser.jumps import fast, jumps, slow_and_new
from tests.browser.pages import PAGES
from tests.browser.sample import Sample, make_sample
from tests.school import School

ROWS = 300
SETTLES_SECONDS = 10.0
# Three words in a row, outside of what is code.
ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
# What the API's reference says comes from the schema and from Swagger UI, which speak English; the page says so.
TEXTS = """
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [document.title];
while (walker.nextNode()) {
  if (!walker.currentNode.parentElement.closest("script, style, code, pre, option, .swagger-ui")) {
    texts.push(walker.currentNode.textContent);
  }
}
const named = [...document.querySelectorAll("[aria-label], [placeholder], [alt], [title]")];
const ours = named.filter((each) => !each.closest(".swagger-ui"));
return [...texts, ...ours.flatMap((each) => [each.ariaLabel, each.placeholder, each.alt, each.title])];
"""


@pytest.fixture
def sample(browser: Browser, school: School) -> Sample:
    return make_sample(school, ROWS)


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [(DESKTOP, "light", "en"), (PHONE, "dark", "zh-CN")],
    ids=["desktop-light-en", "phone-dark-zh"],
)
def test_pages_stand_still_have_no_barriers_and_fit_the_window_and_a_phone(
    browser: Browser, axe: str, sample: Sample, size: tuple[int, int], theme: str, language: str
) -> None:
    browser.theme(theme)
    browser.language(language)
    found = {}
    for page in PAGES:
        browser.size(*size)
        page.open(browser, sample)
        # The admin's theme builds its pages by script.
        found[page.name] = jumps(browser) if page.who != "admin" else []
        found[page.name] += [*barriers(browser, axe), *too_wide(browser)]
        # What a model says is in the language in which it was asked.
        if language == "zh-CN" and page.name != "playground-chat":
            found[page.name] += left_in_english(browser)
        browser.size(*PHONE)
        found[page.name] += too_wide(browser)
    assert {name: lines for name, lines in found.items() if lines} == {}


OFTEN_SEEN = {"overview", "account", "models", "connect"}


def test_pages_that_come_slowly_do_not_jump(browser: Browser, sample: Sample) -> None:
    browser.size(*PHONE)
    found = {}
    for page in (page for page in PAGES if page.name in OFTEN_SEEN):
        slow_and_new(browser)
        page.open(browser, sample)
        found[page.name] = jumps(browser)
    fast(browser)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_log_shows_all_of_a_request_at_any_width(browser: Browser, sample: Sample) -> None:
    next(page for page in PAGES if page.name == "usage").open(browser, sample)
    for width in (360, 768, 1024, 1280, 1920):
        browser.size(width, 900)
        assert not browser.script(
            "const box = document.querySelector('.log-card'); return box.scrollWidth > box.clientWidth"
        )


def left_in_english(browser: Browser) -> list[str]:
    return [f"in English: {text.strip()}" for text in browser.script(TEXTS) if ENGLISH.search(text or "")]


def too_wide(browser: Browser) -> list[str]:
    """What is wider than the window, also after the theme's scripts have laid out anew what was resized."""
    deadline = time.monotonic() + SETTLES_SECONDS
    while (pixels := browser.overflow()) > 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"{pixels} pixels wider than the window"] if pixels > 0 else []
