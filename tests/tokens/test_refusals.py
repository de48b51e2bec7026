from __future__ import annotations

import pytest

from tokens.errors import AccountLocked, PersonNeeded, SignOnTooFast, WrongPassword
from tokens.refusals import refusal


@pytest.mark.parametrize("code", ["SSO10023", "SSO10093", "SSO10024", "SSO10094"])
def test_codes_of_image_and_slider_ask_for_a_captcha(code: str) -> None:
    error = refusal(code=code, text="Verification failed")
    assert isinstance(error, PersonNeeded)
    assert error.asked == "captcha"


def test_code_429_is_too_fast() -> None:
    assert isinstance(refusal(code="429", text=""), SignOnTooFast)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect username or password.",
        "Wrong password, you can try 3 more times before your account will be locked.",
        "The password you entered is incorrect",
        "Invalid credentials.",
        "用户名或密码错误",
        "密码不正确，还可以尝试4次，超过后账号将被锁定",
        "Error 4711",
        "认证失败",
    ],
)
def test_a_wrong_password_and_what_is_nothing_else_is_a_wrong_password(text: str) -> None:
    assert type(refusal(code="SSO10001", text=text)) is WrongPassword


@pytest.mark.parametrize(
    "text",
    [
        "Your account has been locked after too many failed attempts.",
        "Your account is locked because of too many incorrect passwords.",
        "登录失败次数过多，账号已被锁定，请联系信息服务台",
        "该账户已冻结",
        "账号被锁定",
    ],
)
def test_a_locked_account_is_recognised(text: str) -> None:
    assert type(refusal(code="", text=text)) is AccountLocked


@pytest.mark.parametrize("text", ["Too many requests, please try again later.", "请求过于频繁，请稍后再试"])
def test_a_limit_is_recognised_by_its_words(text: str) -> None:
    assert isinstance(refusal(code="", text=text), SignOnTooFast)


@pytest.mark.parametrize("text", ["Please complete the slider verification.", "图形验证码错误", "请完成滑块验证"])
def test_a_check_is_recognised_by_its_words(text: str) -> None:
    assert isinstance(refusal(code="", text=text), PersonNeeded)


def test_the_message_shows_the_pages_own_text() -> None:
    assert refusal(code="", text="用户名或密码错误").message == 'The sign-on refused the login: "用户名或密码错误"'
