"""The pages in a real Chromium, from the portal to the text area."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.chromium import running_chromium
from tests.simulator.clients import PASSWORD, USERNAME, Simulator

FIELDS = {
    "2025": ("#username_show", "#password_show", "#btn_login input"),
    "2026": (
        ".para-widget-account-psw__input--account input[type=text]",
        ".para-widget-account-psw__input--psw input[type=password]",
        "button.para-widget-account-psw__login-button",
    ),
}
CODE = "input[autocomplete=one-time-code]"
STORE_TOKEN = """
    const app = document.querySelector("#app").__vue_app__;
    return app.config.globalProperties.$pinia.state.value.user.token === app.$pinia.state.value.user.token
        && app.$pinia.state.value.user.token;
"""


class Pages:
    """The school's pages in one Chromium."""

    def __init__(self, driver: webdriver.Chrome, simulator: Simulator) -> None:
        self.driver = driver
        self.simulator = simulator

    def until(self, condition: Callable[[webdriver.Chrome], Any]) -> Any:
        # While one page gives way to the next, Chrome answers with errors of several kinds.
        passing = [WebDriverException]
        return WebDriverWait(self.driver, 30, poll_frequency=0.05, ignored_exceptions=passing).until(condition)

    def find(self, selector: str) -> WebElement:
        found: WebElement = self.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector))
        return found

    def sees(self, text: str) -> None:
        self.until(lambda driver: text in driver.execute_script("return document.body.innerText"))

    def press(self, selector: str) -> None:
        self.driver.execute_script("arguments[0].click()", self.find(selector))

    def log_in(self, generation: str, password: str = PASSWORD) -> None:
        """Go to the portal, fill in the sign-on's form and press its button."""
        self.simulator.settings(sign_on=generation, wire=generation)
        self.driver.get(self.simulator.portal)
        username_field, password_field, button = FIELDS[generation]
        self.find(username_field).send_keys(USERNAME)
        self.find(password_field).send_keys(password)
        self.press(button)

    def open_chat(self) -> None:
        self.find("a[href='/v3/chat']").click()
        self.find("button:has(span.n-button__content)").click()
        self.find("textarea")

    def stored(self) -> str | None:
        script = 'return localStorage.getItem(btoa("__XP_JM_USER__"))'
        stored: str | None = self.driver.execute_script(script)
        return stored


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with running_chromium() as driver:
        yield driver


@pytest.fixture
def pages(driver: webdriver.Chrome, simulator: Simulator) -> Pages:
    driver.get(f"{simulator.portal}/static/style.css")
    driver.execute_script("localStorage.clear()")
    simulator.settings(element_delay_ms=20)
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    return Pages(driver, simulator)


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_the_pages_lead_to_the_text_area_and_call_the_api(pages: Pages, generation: str) -> None:
    pages.log_in(generation)
    pages.open_chat()
    pages.simulator.wait(user=USERNAME, call="session", status="ok", timeout=30)
    calls = [(call["call"], call["status"]) for call in pages.simulator.user()["calls"]]
    assert calls == [("config", "ok"), ("session", "ok")]


@pytest.mark.parametrize("storage", ["json", "packed", "none"])
def test_a_silent_page_still_keeps_its_token(pages: Pages, storage: str) -> None:
    pages.simulator.settings(token_storage=storage, page_calls_api=False)
    pages.log_in("2026")
    pages.open_chat()
    token = pages.driver.execute_script(STORE_TOKEN)
    expected = {"json": f'"token":"{token}"', "packed": f"token¨¨{token}¨", "none": ""}[storage]
    assert expected in (pages.stored() or "")
    assert (pages.stored() is None) is (storage == "none")
    assert pages.simulator.user()["calls"] == []


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_only_a_click_by_script_reaches_the_login_button(pages: Pages, generation: str) -> None:
    pages.simulator.settings(sign_on=generation)
    pages.driver.get(pages.simulator.portal)
    with pytest.raises(ElementClickInterceptedException):
        pages.find(FIELDS[generation][2]).click()


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_a_wrong_password_is_shown_on_the_page(pages: Pages, generation: str) -> None:
    pages.log_in(generation, "wrong")
    pages.sees("Incorrect username or password.")
    assert pages.simulator.user()["password_tries"] == 1


def test_only_input_events_reach_the_page_of_2026(pages: Pages) -> None:
    pages.driver.get(pages.simulator.portal)
    for selector, value in zip(FIELDS["2026"], (USERNAME, PASSWORD), strict=False):
        pages.driver.execute_script("arguments[0].value = arguments[1]", pages.find(selector), value)
    pages.press(FIELDS["2026"][2])
    pages.sees("Incorrect username or password.")


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_a_second_factor_is_entered_on_its_page(pages: Pages, generation: str) -> None:
    pages.simulator.settings(check="second_factor")
    pages.log_in(generation)
    pages.find(CODE).send_keys("wrong")
    assert "/login/mfaLogin.html" in pages.driver.current_url
    pages.press("button")
    pages.sees("The verification code is incorrect.")
    pages.find(CODE).clear()
    pages.find(CODE).send_keys(pages.simulator.user()["second_factor_code"])
    pages.press("button")
    pages.open_chat()


def test_a_person_can_drag_the_slider(pages: Pages) -> None:
    pages.simulator.settings(check="slider")
    pages.log_in("2026")
    handle = pages.find(".slider-handle")
    target = pages.simulator.user()["slider_target"]
    ActionChains(pages.driver).drag_and_drop_by_offset(handle, target, 0).perform()
    pages.open_chat()


def test_a_person_can_type_the_image_code(pages: Pages) -> None:
    pages.simulator.settings(check="image_code")
    pages.log_in("2026")
    pages.find(".para-widget-account-psw__input--vcode input").send_keys(pages.simulator.user()["image_code"])
    pages.press(FIELDS["2026"][2])
    pages.open_chat()


def test_an_automated_browser_can_meet_a_blank_page(pages: Pages) -> None:
    pages.simulator.settings(check="blank")
    pages.driver.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": "Mozilla/5.0 Chrome/140.0"})
    pages.driver.get(pages.simulator.portal)
    pages.until(lambda driver: driver.execute_script("return document.body.childElementCount") == 0)


def test_a_remembered_browser_needs_no_password(pages: Pages) -> None:
    pages.log_in("2026")
    pages.find("a[href='/v3/chat']")
    pages.driver.delete_cookie("XIPU_PORTAL_SESSION")
    pages.driver.get(pages.simulator.portal)
    pages.open_chat()
    assert pages.simulator.user()["password_tries"] == 1
