from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.tokens.stand_ins import until_shown
from tokens.chrome import BrowserSettings, running_chrome
from tokens.errors import LoginFailed
from tokens.pages import Look, Page, PageReader, which_page
from tokens.selectors import with_extra

HOME = Look("https://portal.test/", 1.0, complete=True, empty=False)
CHAT = replace(HOME, url="https://portal.test/v3/chat")
SIGN_ON = replace(HOME, url="https://sso.test/login")


def at(look: Look, *visible: str, **more: object) -> Look:
    return replace(look, visible=frozenset(visible), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("look", "page"),
    [
        (Look(), Page.LOADING),
        (replace(HOME, complete=False, empty=True), Page.LOADING),
        (replace(HOME, empty=True), Page.BLANK),
        (HOME, Page.UNKNOWN),
        (replace(HOME, url="chrome-error://chromewebdata/"), Page.BROKEN),
        (at(SIGN_ON, "username"), Page.UNKNOWN),
        (at(SIGN_ON, "username", "password", "login_button"), Page.SIGN_ON),
        (at(SIGN_ON, "username", "password", "captcha"), Page.CAPTCHA),
        (at(SIGN_ON, "captcha"), Page.CAPTCHA),
        (at(replace(SIGN_ON, url="https://sso.test/login/mfaLogin.html"), "code"), Page.CODE),
        (at(SIGN_ON, "code"), Page.CODE),
        (at(SIGN_ON, "code", "username", "password"), Page.SIGN_ON),
        (at(HOME, "chat_link"), Page.HOME),
        (at(HOME, "chat_link", "start_button", textarea=True), Page.HOME),
        (at(HOME, "start_button", textarea=True), Page.UNKNOWN),
        (at(CHAT, "start_button"), Page.START),
        (at(CHAT, "chat_link", "start_button", link_leads_here=True), Page.START),
        (at(CHAT, "start_button", textarea=True), Page.START),
        (at(CHAT, "start_button", "textarea", textarea=True), Page.READY),
        (at(CHAT, textarea=True), Page.READY),
    ],
)
def test_pages_are_recognised_by_what_is_there(look: Look, page: Page) -> None:
    assert which_page(look) is page


def test_after_the_click_a_chat_page_may_have_any_address() -> None:
    elsewhere = replace(HOME, url="https://portal.test/v9/talk")
    assert which_page(at(elsewhere, "start_button"), chat_opened=True) is Page.START
    assert which_page(at(HOME, "chat_link", "start_button"), chat_opened=True) is Page.HOME


def test_the_place_of_a_page_tells_no_ticket() -> None:
    assert replace(HOME, url="https://portal.test/a?ticket=ST-1#x").place == "portal.test/a"


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    with running_chrome(BrowserSettings(time_limit_seconds=3600), lambda *_: None) as running:
        yield running.driver


Show = Callable[..., PageReader]
THERE = "return performance.timeOrigin !== arguments[0] && document.readyState === 'complete'"


@pytest.fixture
def show(driver: WebDriver) -> Show:
    """Open a page and wait until it is there."""

    def show_page(html: str, fragment: str = "", **extra: list[str]) -> PageReader:
        reader = PageReader(driver, with_extra(extra))
        before = driver.execute_script("return performance.timeOrigin")
        driver.get("data:text/html;charset=utf-8," + quote(f"<!doctype html><body><i>page</i>{html}") + fragment)
        until_shown(lambda: driver.execute_script(THERE, before))
        return reader

    return show_page


FORM_2025 = "<input id=username_show><input id=password_show type=password><div id=btn_login><input type=button></div>"


def test_hidden_fields_are_not_seen(show: Show) -> None:
    look = show("<div hidden><input id=username_show></div><input id=password_show type=password>").look()
    assert "password" in look.visible
    assert "username" not in look.visible


def test_a_disabled_button_is_not_there_yet(show: Show) -> None:
    assert "login_button" not in show(FORM_2025.replace("type=button", "type=button disabled")).look().visible


def test_keys_are_real_ones_and_replace_what_is_there(show: Show, driver: WebDriver) -> None:
    reader = show('<input id=username_show value=old oninput="document.title += this.value.length">')
    assert reader.type("username", "San.Zhang24")
    assert driver.title.endswith("91011")


def test_a_page_that_does_not_take_the_text_is_noticed(show: Show) -> None:
    assert not show('<input id=username_show oninput="this.value = 0">').type("username", "San")


def test_a_field_that_is_missing_takes_nothing(show: Show) -> None:
    assert not show("").type("username", "San")


def test_a_covered_button_is_clicked(show: Show, driver: WebDriver) -> None:
    cover = "<div style='position:fixed; inset:0; background:white'></div>"
    reader = show(f"<div id=btn_login><input type=button onclick=\"document.title='clicked'\"></div>{cover}")
    assert reader.click("login_button")
    assert driver.title == "clicked"


def test_a_link_opens_in_the_same_window(show: Show, driver: WebDriver) -> None:
    reader = show("<a href='/v3/chat' target=_blank onclick='event.preventDefault()'>Chat</a>")
    assert reader.click("chat_link")
    assert driver.execute_script("return document.querySelector('a').target") == ""


def test_extra_selectors_find_a_new_page(show: Show) -> None:
    assert "username" in show("<input class=new-name>", username=[".new-name"]).look().visible


def test_a_selector_that_is_no_css_is_said(show: Show) -> None:
    with pytest.raises(LoginFailed, match="not valid CSS"):
        show("", username=["##"]).look()


def test_the_error_text_is_read(show: Show) -> None:
    assert show("<div id=msg> Wrong  <b>password</b></div><p role=alert></p>").look().error == "Wrong password"


CODE_PAGE = (
    "<input name=c><input type=hidden><button>Send code</button><button onclick=\"document.title='sent'\">{}</button>"
)


@pytest.mark.parametrize("label", ["Verify", "Log in", "确定", "→"])
def test_a_code_page_has_one_text_field_and_its_button(show: Show, driver: WebDriver, label: str) -> None:
    # A data URL has no path to recognise; its fragment stands for one.
    reader = show(CODE_PAGE.format(label), "#/mfaLogin")
    assert which_page(reader.look()) is Page.CODE
    assert reader.type("code", "123456")
    assert reader.click("code_button")
    assert driver.title == "sent"


def test_of_several_text_fields_none_is_taken_for_the_codes(show: Show) -> None:
    assert "code" not in show("<input><input><button>Verify</button>", "#/mfaLogin").look().visible


@pytest.mark.parametrize(
    "mark", ["<div class=geetest_captcha>x</div>", "<img src='data:,' alt='verification code' width=9 height=9>"]
)
def test_a_captcha_is_seen(show: Show, mark: str) -> None:
    assert which_page(show(FORM_2025 + mark).look()) is Page.CAPTCHA


def test_an_invisible_badge_asks_nothing(show: Show) -> None:
    badge = "<div class=grecaptcha-badge><div class=grecaptcha-logo>x</div></div>"
    assert which_page(show(FORM_2025 + badge).look()) is Page.SIGN_ON


def test_an_empty_page_is_blank(show: Show, driver: WebDriver) -> None:
    reader = show("")
    driver.execute_script("document.body.replaceChildren()")
    assert reader.look().empty


def test_nothing_typed_and_no_name_is_left_for_a_screenshot(show: Show, driver: WebDriver) -> None:
    reader = show("<input id=username_show><p>Hello san.zhang24 (x)</p>")
    reader.type("username", "San.Zhang24")
    assert reader.blank(["San.Zhang24", ""], everything=False)
    assert driver.execute_script("return document.querySelector('input').value + document.body.innerText") == (
        "page\n\nHello x (x)"
    )


def test_of_a_private_page_only_the_layout_is_left(show: Show, driver: WebDriver) -> None:
    reader = show("<p>My chat</p>")
    assert reader.blank([], everything=True)
    assert driver.execute_script("return document.querySelector('p').innerText") == "xx xxxx"
