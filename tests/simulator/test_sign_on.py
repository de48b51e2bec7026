"""Signing on without a browser: what the pages post, and what the sign-on answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.simulator.clients import PASSWORD, USERNAME, Simulator

DO_LOGIN = "/esc-sso/api/v3/auth/doLogin"
WRONG = "Incorrect username or password."


@dataclass
class Browser:
    """A browser without JavaScript: it keeps cookies and follows redirects."""

    simulator: Simulator
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, follow_redirects=True, timeout=90))

    def open(self) -> httpx.Response:
        return self.http.get(f"{self.simulator.portal}/")

    def submit_form(self, password: str = PASSWORD, username: str = USERNAME) -> httpx.Response:
        form = {"username": username, "password": password}
        return self.http.post(self.open().url, data=form)

    def encrypted(self, password: str) -> str:
        answer = self.http.get(f"{self.simulator.sign_on}/esc-sso/api/v3/auth/publicKey").json()
        key = serialization.load_der_public_key(base64.b64decode(answer["data"]["publicKey"]))
        assert isinstance(key, rsa.RSAPublicKey)
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
        return base64.b64encode(key.encrypt(password.encode(), oaep)).decode()

    def do_login(self, password: str = PASSWORD, username: str = USERNAME, **extra: Any) -> Any:
        data = {"username": username, "password": self.encrypted(password), **extra}
        return self.post_do_login(data).json()

    def post_do_login(self, data: dict[str, Any], service: str | None = None) -> httpx.Response:
        service = service or f"{self.simulator.portal}/"
        body = {"authType": "webLocalAuth", "dataField": data, "redirectUri": service}
        return self.http.post(f"{self.simulator.sign_on}{DO_LOGIN}", json=body)

    def is_in(self) -> bool:
        return self.http.get(f"{self.simulator.portal}/v3/user-info").status_code == 200


@pytest.fixture
def browser(simulator: Simulator) -> Iterator[Browser]:
    browser = Browser(simulator)
    yield browser
    browser.http.close()


@pytest.fixture
def form(simulator: Simulator, browser: Browser) -> Browser:
    """A browser at the sign-on of 2025."""
    simulator.settings(sign_on="2025")
    return browser


@pytest.mark.parametrize(("generation", "path"), [("2025", "/login"), ("2026", "/esc-sso/login/page")])
def test_the_portal_leads_to_the_sign_on(simulator: Simulator, browser: Browser, generation: str, path: str) -> None:
    simulator.settings(sign_on=generation)
    url = urlsplit(str(browser.open().url))
    assert (url.hostname, url.path) == ("localhost", path)
    assert parse_qs(url.query) == {"service": [f"{simulator.portal}/"]}


@pytest.mark.parametrize(("generation", "path"), [("2025", "/login"), ("2026", "/esc-sso/login/page")])
def test_a_browser_can_be_kept_waiting_at_the_sign_on(
    simulator: Simulator, browser: Browser, generation: str, path: str
) -> None:
    simulator.settings(sign_on=generation, sign_on_waits=True)
    with ThreadPoolExecutor() as threads:
        opened = threads.submit(browser.open)
        try:
            simulator.wait(held=1)
            assert not opened.done()
        finally:
            simulator.settings(sign_on_waits=False)
        assert opened.result().url.path == path
    assert simulator.state()["held"] == 0


@pytest.mark.parametrize("path", ["/login", "/esc-sso/login/page"])
@pytest.mark.parametrize("service", ["http://evil.example/", "http://127.0.0.1.evil.example/", ""])
def test_an_unknown_service_is_refused(browser: Browser, path: str, service: str) -> None:
    url = f"{browser.simulator.sign_on}{path}"
    assert browser.http.get(url, params={"service": service}).status_code == 403


def test_the_right_password_leads_to_the_portal(form: Browser) -> None:
    assert str(form.submit_form().url) == f"{form.simulator.portal}/"
    assert form.is_in()


def test_a_wrong_password_is_shown_on_the_page(form: Browser) -> None:
    answer = form.submit_form("wrong")
    assert WRONG in answer.text
    assert urlsplit(str(answer.url)).path == "/login"
    assert not form.is_in()


def test_an_unknown_user_looks_like_a_wrong_password(browser: Browser) -> None:
    assert browser.do_login(username="Nobody.24")["msg"] == WRONG


def test_messages_can_be_chinese(browser: Browser) -> None:
    browser.simulator.settings(language="zh")
    assert browser.do_login("wrong")["msg"] == "用户名或密码错误"


def test_five_wrong_passwords_lock_the_account(form: Browser) -> None:
    messages = [form.submit_form("wrong").text for _ in range(5)]
    assert [WRONG in message for message in messages] == [True] * 4 + [False]
    assert "locked" in form.submit_form().text
    assert not form.is_in()
    user = form.simulator.user()
    assert (user["locked"], user["password_tries"]) == (True, 5)


def test_a_locked_account_can_be_unlocked(browser: Browser) -> None:
    for _ in range(5):
        browser.do_login("wrong")
    browser.simulator.post(f"users/{USERNAME}", unlock=True)
    assert browser.do_login()["code"] == "0"


def test_a_changed_password_holds_at_once(browser: Browser) -> None:
    browser.simulator.post(f"users/{USERNAME}", password="another one")
    assert browser.do_login()["code"] == "SSO10001"
    assert browser.do_login("another one")["code"] == "0"


def test_do_login_answers_where_to_go(browser: Browser) -> None:
    answer = browser.do_login()
    assert answer["data"]["redirect"].startswith(f"{browser.simulator.portal}/?ticket=ST-")
    browser.http.get(answer["data"]["redirect"])
    assert browser.is_in()


def test_a_password_that_is_not_encrypted_is_refused(browser: Browser) -> None:
    answer = browser.post_do_login({"username": USERNAME, "password": PASSWORD})
    assert answer.status_code == 400
    assert browser.simulator.user()["password_tries"] == 0


def test_do_login_for_an_unknown_service_is_refused(browser: Browser) -> None:
    data = {"username": USERNAME, "password": browser.encrypted(PASSWORD)}
    assert browser.post_do_login(data, service="http://evil.example/").status_code == 400


def test_a_ticket_is_good_only_once(browser: Browser) -> None:
    redirect = browser.do_login()["data"]["redirect"]
    browser.http.get(redirect)
    stranger = httpx.get(redirect, trust_env=False, timeout=60)
    assert stranger.headers["location"].startswith(browser.simulator.sign_on)


def test_a_remembered_browser_meets_neither_password_nor_second_factor(browser: Browser) -> None:
    browser.do_login()
    browser.simulator.settings(check="second_factor")
    assert str(browser.open().url) == f"{browser.simulator.portal}/"
    user = browser.simulator.user()
    assert (user["password_tries"], user["sms_sent"]) == (1, 0)


@pytest.mark.parametrize("cookie", ["TGC", "UIM_SESSION"])
def test_a_browser_is_remembered_only_by_both_cookies(browser: Browser, cookie: str) -> None:
    browser.do_login()
    browser.http.cookies.delete(cookie)
    assert urlsplit(str(browser.open().url)).hostname == "localhost"


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_what_the_sign_on_remembers_comes_to_an_end(browser: Browser, how: str) -> None:
    if how == "expired":
        browser.simulator.settings(sign_on_session_seconds=0)
    browser.do_login()
    if how == "revoked":
        browser.simulator.post(f"users/{USERNAME}/revoke", sign_on=True)
    assert urlsplit(str(browser.open().url)).hostname == "localhost"


def test_the_sign_ons_cookies_are_http_only(form: Browser) -> None:
    url = form.open().url
    answer = form.http.post(url, data={"username": USERNAME, "password": PASSWORD}, follow_redirects=False)
    cookies = answer.headers.get_list("set-cookie")
    assert sorted(cookie.split("=")[0] for cookie in cookies) == ["TGC", "UIM_SESSION"]
    assert all("HttpOnly" in cookie for cookie in cookies)


def test_a_dead_token_leads_from_the_portal_back_to_the_sign_on(browser: Browser) -> None:
    browser.http.get(browser.do_login()["data"]["redirect"])
    browser.simulator.post(f"users/{USERNAME}/revoke", tokens=True, sign_on=True)
    assert not browser.is_in()
    answer = browser.http.get(f"{browser.simulator.portal}/v3/chat")
    assert urlsplit(str(answer.url)).hostname == "localhost"


@pytest.mark.parametrize("generation", ["2025", "2026"])
def test_a_second_factor_is_asked_after_the_right_password(browser: Browser, generation: str) -> None:
    browser.simulator.settings(check="second_factor", sign_on=generation)
    page = browser.submit_form().url if generation == "2025" else browser.do_login()["data"]["redirect"]
    assert urlsplit(str(page)).path.endswith("/login/mfaLogin.html")
    assert not browser.is_in()
    user = browser.simulator.user()
    assert user["sms_sent"] == 1
    wrong = browser.http.post(page, json={"code": "no"}).json()
    assert (wrong["code"], wrong["msg"]) == ("SSO10030", "The verification code is incorrect.")
    right = browser.http.post(page, json={"code": user["second_factor_code"]}).json()
    browser.http.get(right["data"]["redirect"])
    assert browser.is_in()


def test_a_second_factor_follows_no_wrong_password(browser: Browser) -> None:
    browser.simulator.settings(check="second_factor")
    assert browser.do_login("wrong")["code"] == "SSO10001"
    assert browser.simulator.user()["sms_sent"] == 0


def test_a_code_that_nobody_waits_for_is_refused(browser: Browser) -> None:
    answer = browser.http.post(f"{browser.simulator.sign_on}/login/mfaLogin.html", json={"code": "1"})
    assert answer.status_code == 400


def test_an_image_code_is_asked_before_the_password_is_judged(browser: Browser) -> None:
    browser.simulator.post(f"users/{USERNAME}", check="image_code")
    asked = browser.do_login()
    assert asked["code"] == "SSO10023"
    assert asked["data"]["image"].startswith("data:image/")
    assert browser.do_login(vcode="nope")["code"] == "SSO10093"
    assert browser.simulator.user()["password_tries"] == 0
    assert browser.do_login(vcode=browser.simulator.user()["image_code"])["code"] == "0"


def test_a_slider_must_be_dragged_into_its_hole(browser: Browser) -> None:
    browser.simulator.post(f"users/{USERNAME}", check="slider")
    assert browser.do_login()["code"] == "SSO10024"
    target = browser.simulator.user()["slider_target"]
    assert browser.do_login(slide=target + 20)["code"] == "SSO10094"
    target = browser.simulator.user()["slider_target"]
    assert browser.do_login(slide=target + 5)["code"] == "0"


def test_a_captcha_is_good_only_once(browser: Browser) -> None:
    browser.simulator.post(f"users/{USERNAME}", check="slider")
    browser.do_login()
    target = browser.simulator.user()["slider_target"]
    browser.do_login("wrong", slide=target)
    assert browser.simulator.user()["slider_target"] is not None
    assert browser.do_login()["code"] == "SSO10024"


def test_a_sign_on_tried_too_fast_judges_no_password(browser: Browser) -> None:
    browser.simulator.fault("sign_on_too_fast")
    assert browser.do_login()["code"] == "429"
    assert browser.simulator.user()["password_tries"] == 0
    assert browser.do_login()["code"] == "0"


def test_the_form_says_when_it_was_tried_too_fast(form: Browser) -> None:
    form.simulator.fault("sign_on_too_fast")
    assert "Too many requests" in form.submit_form().text


def test_a_headless_browser_can_meet_a_blank_page(browser: Browser) -> None:
    browser.simulator.settings(check="blank")
    browser.http.headers["User-Agent"] = "Mozilla/5.0 HeadlessChrome/140.0"
    assert "script" not in browser.open().text
