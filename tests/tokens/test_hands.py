"""A person's acts in a real Chrome."""

from __future__ import annotations

import string
from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.conftest import until
from tests.tokens.stand_ins import Site, until_shown
from tokens.chrome import BrowserSettings, running_chrome
from tokens.live.hands import Hands
from tokens.live.wire import Key, Press, Release, Text

PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "
FIELD = """<title>field</title><input style='position: fixed; inset: 0; width: 100%; height: 50vh'><script>
keys = []; addEventListener("keydown", (event) => keys.push([event.key, event.code, event.keyCode, event.shiftKey]));
</script>"""


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    with running_chrome(BrowserSettings(time_limit_seconds=3600), lambda group, scratch: None) as running:
        yield running.driver


@pytest.fixture
def hands(driver: WebDriver, site: Site) -> Hands:
    """At a page whose one field has the focus."""
    site.pages["/"] = FIELD
    driver.get(site.url)
    until_shown(lambda: driver.title == "field" and driver.execute_script("return location.href") == site.url)
    made = Hands(driver)
    made.carry_out(Press(x=0.5, y=0.2))
    made.carry_out(Release(x=0.5, y=0.2))
    until(lambda: driver.execute_script("return document.activeElement.tagName") == "INPUT")
    return made


def written(driver: WebDriver) -> str:
    return str(driver.execute_script("return document.querySelector('input').value"))


def test_every_printable_character_arrives_as_it_was_typed(driver: WebDriver, hands: Hands) -> None:
    for character in PRINTABLE:
        hands.carry_out(Text(text=character))
    assert written(driver) == PRINTABLE


def test_a_character_is_the_key_that_pages_expect(driver: WebDriver, hands: Hands) -> None:
    for character in ".'aA1%":
        hands.carry_out(Text(text=character))
    assert driver.execute_script("return keys") == [
        [".", "Period", 190, False],
        ["'", "Quote", 222, False],
        ["a", "KeyA", 65, False],
        ["A", "KeyA", 65, True],
        ["1", "Digit1", 49, False],
        ["%", "Digit5", 53, True],
    ]


def test_other_writing_arrives_too(driver: WebDriver, hands: Hands) -> None:
    for text in ("验证码", "é", "pasted: 'x' & %"):
        hands.carry_out(Text(text=text))
    assert written(driver) == "验证码épasted: 'x' & %"


def test_keys_that_move_and_erase_do_so(driver: WebDriver, hands: Hands) -> None:
    for act in (Text(text="abc"), Key(name="ArrowLeft"), Key(name="Backspace"), Key(name="Home"), Key(name="Delete")):
        hands.carry_out(act)
    assert written(driver) == "c"
