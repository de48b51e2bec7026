"""What every member's page has around it, by mouse, finger and keyboard: menu, anchors, language, theme, copying."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from accounts.models import Account
from tests.browser.browser import PHONE, Browser

pytestmark = pytest.mark.usefixtures("offered")
KEYS, CONNECT, ACCOUNT, USAGE = (f"/dashboard/{name}/" for name in ("keys", "connect", "account", "usage"))
IS_SEEN = "const box = arguments[0].getBoundingClientRect(); return box.top >= 56 && box.bottom <= window.innerHeight"
HAS_FOCUS = "return document.activeElement.matches(arguments[0])"


@pytest.fixture
def member(browser: Browser, account: Account) -> Browser:
    browser.sign_in(account.member)
    return browser


@pytest.fixture
def phone(member: Browser) -> Browser:
    """Scrolled down on a long page, with the menu open."""
    member.size(*PHONE)
    member.open(ACCOUNT)
    member.script("window.scrollTo(0, 900)")
    member.click("[data-menu]")
    return member


def test_the_menu_of_a_scrolled_phone_is_seen(phone: Browser) -> None:
    assert phone.script(IS_SEEN, phone.find(".sidebar .nav-item"))


def test_a_tap_beside_the_menu_closes_it(phone: Browser) -> None:
    ActionChains(phone.driver).move_by_offset(180, 730).click().perform()
    phone.until(lambda: not phone.all(".sidebar"), "the closed menu")
    assert phone.path == ACCOUNT


def test_escape_closes_the_menu_and_gives_the_focus_back(phone: Browser) -> None:
    ActionChains(phone.driver).send_keys(Keys.TAB, Keys.ESCAPE).perform()
    assert not phone.all(".sidebar")
    assert phone.script(HAS_FOCUS, "[data-menu]")


def test_an_anchor_is_not_hidden_behind_the_bar(member: Browser) -> None:
    member.size(*PHONE)
    member.open(f"{ACCOUNT}#password-title")
    member.until(lambda: member.script("return window.scrollY"), "the scrolled page")
    assert member.script(IS_SEEN, member.find("#password-title"))


def test_the_ring_around_a_choice_is_not_cut_off(member: Browser) -> None:
    member.open(CONNECT)
    assert member.script("return getComputedStyle(document.querySelector('.choices')).overflow") == "visible"


def test_another_language_keeps_what_the_page_shows(member: Browser) -> None:
    member.open(USAGE)
    member.choose("#id_status", "failed")
    member.until(lambda: "status=failed" in member.path, "the filtered log")
    member.click("[data-language] button")
    member.see("用量记录")
    assert "status=failed" in member.path


def test_a_key_that_is_shown_once_is_not_lost_to_another_language(member: Browser) -> None:
    member.open(f"{KEYS}new/")
    assert member.all("[data-language]")
    member.fill("#id_name", "Laptop")
    member.click("main button.primary")
    member.find("#api-key")
    assert not member.all("[data-language]")


def test_the_theme_says_what_it_is(member: Browser) -> None:
    member.open(KEYS)
    member.click("[data-theme-switch]", "Theme: system")
    assert member.find("[data-theme-switch]").text.endswith("Theme: light")


def test_what_was_copied_is_told(member: Browser) -> None:
    member.open(CONNECT)
    member.click("button[title=Copy]")
    member.until(lambda: member.script("return told.textContent") == "Copied", "the word for it")


def test_a_browser_that_denies_its_clipboard_copies_the_old_way(member: Browser) -> None:
    member.open(CONNECT)
    member.script("navigator.clipboard.writeText = () => Promise.reject(new DOMException('denied', 'NotAllowedError'))")
    member.click("button[title=Copy]")
    member.until(lambda: member.script("return told.textContent") == "Copied", "the word for it")
    assert member.script(HAS_FOCUS, "button[title=Copy]")


def test_where_nothing_can_be_copied_the_page_says_so(member: Browser) -> None:
    member.open(CONNECT)
    member.script("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
    member.click("button[title=Copy]")
    member.see("select the text and copy it yourself")
