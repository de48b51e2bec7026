"""The tests' own browser: what goes wrong on a page does not escape it."""

from __future__ import annotations

import pytest

from tests.browser.axe import barriers
from tests.browser.browser import PHONE, Browser

PAGE = "/dashboard/sign-in/"


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('it broke')", "it broke"),
        ("setTimeout(() => { throw new Error('not caught'); })", "not caught"),
        ("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')", "Content Security Policy"),
        ("fetch('https://elsewhere.example/').catch(() => 0)", "https://elsewhere.example/"),
        ("fetch('/nowhere')", "404"),
    ],
)
def test_a_fault_of_a_page_is_noticed(browser: Browser, script: str, fault: str) -> None:
    browser.open(PAGE)
    browser.script(script)
    browser.until(lambda: any(fault in each for each in browser.faults()), fault)
    # The same fault may be told twice, and the second time later.
    browser.expect(fault)


def test_a_fault_that_is_expected_is_none(browser: Browser) -> None:
    browser.open(PAGE)
    browser.expect("it broke")
    browser.script("console.error('it broke'); console.error('last')")
    assert [fault for fault in browser.faults() if "last" not in fault] == []


def test_a_page_that_is_too_wide_is_noticed(browser: Browser) -> None:
    browser.size(*PHONE)
    browser.open(PAGE)
    assert browser.overflow() <= 0
    browser.script("document.body.style.width = '500px'")
    assert browser.overflow() == 500 - PHONE[0]


def test_axe_finds_a_picture_without_words(browser: Browser, axe: str) -> None:
    browser.open(PAGE)
    assert barriers(browser, axe) == []
    browser.script("document.querySelector('main').append(document.createElement('img'))")
    assert [line.split()[:2] for line in barriers(browser, axe)] == [["critical", "image-alt"]]
