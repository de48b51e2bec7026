"""The university's sign-on in its two generations: who may pass, and what the pages post.

A browser that still has both cookies of a sign-on session passes at once. Everybody else meets, in this
order, the image code or slider (2026), the lock, the password, and the second factor.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from simulator import captcha
from simulator.state import MAX_WRONG_PASSWORDS, PendingFactor, School, SignOnSession, User

Trouble = Literal["wrong_password", "locked", "too_fast", "ask_code", "wrong_code", "ask_slider", "wrong_slider"]
MFA_PATHS = {"2025": "/login/mfaLogin.html", "2026": "/esc-sso/login/mfaLogin.html"}

CODES: dict[str, str] = {
    "wrong_password": "SSO10001",
    "locked": "SSO10005",
    "too_fast": "429",
    "ask_code": "SSO10023",
    "wrong_code": "SSO10093",
    "ask_slider": "SSO10024",
    "wrong_slider": "SSO10094",
    "wrong_factor": "SSO10030",
}
MESSAGES: dict[str, dict[str, str]] = {
    "en": {
        "wrong_password": "Incorrect username or password.",
        "locked": "Your account has been locked after too many failed attempts.",
        "too_fast": "Too many requests, please try again later.",
        "ask_code": "Please enter the image verification code.",
        "wrong_code": "The image verification code is incorrect.",
        "ask_slider": "Please complete the slider verification.",
        "wrong_slider": "Slider verification failed, please try again.",
        "wrong_factor": "The verification code is incorrect.",
    },
    "zh": {
        "wrong_password": "用户名或密码错误",
        "locked": "登录失败次数过多，账号已被锁定",
        "too_fast": "请求过于频繁，请稍后再试",
        "ask_code": "请输入图形验证码",
        "wrong_code": "图形验证码错误",
        "ask_slider": "请完成滑块验证",
        "wrong_slider": "滑块验证失败，请重试",
        "wrong_factor": "验证码错误",
    },
}


@dataclass(frozen=True)
class Attempt:
    """What a sign-on page posted."""

    username: str
    password: str
    service: str
    image_code: str = ""
    slider_at: float | None = None


@dataclass(frozen=True)
class Refused:
    """The sign-on did not let this attempt pass; `data` is what the page needs to ask again."""

    reason: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Passed:
    """Where the browser goes, with the sign-on session or the pending second factor that it takes along."""

    redirect: str
    session: SignOnSession | None = None
    pending: str | None = None


def message(school: School, reason: str) -> str:
    """Return the text that the page shows, in the language that is set."""
    return MESSAGES[school.settings.language][reason]


def service_is_known(school: School, service: str) -> bool:
    """Tell whether the sign-on may send a browser, with a ticket, to `service`."""
    return service == school.addresses.portal or service.startswith(school.addresses.portal + "/")


def with_ticket(school: School, username: str, service: str) -> str:
    """Return the service's URL with a new ticket."""
    separator = "&" if "?" in service else "?"
    return f"{service}{separator}{urlencode({'ticket': school.ticket(username, service)})}"


def attempt(school: School, tried: Attempt) -> Passed | Refused:
    """Judge one posted form."""
    if school.faults.take("sign_on", tried.username) is not None:
        return Refused("too_fast", {})
    user = school.users.get(tried.username)
    if user is None:
        return Refused("wrong_password", {})
    refused = _captcha(school, user, tried) or _password(user, tried.password)
    school.changed.fire()
    if refused is not None:
        return refused
    if school.check_for(user) == "second_factor":
        return _ask_second_factor(school, user, tried.service)
    return _let_in(school, user.username, tried.service)


def _captcha(school: School, user: User, tried: Attempt) -> Refused | None:
    check = school.check_for(user)
    if check == "image_code" and school.settings.sign_on == "2026":
        return _image_code(user, tried.image_code)
    if check == "slider" and school.settings.sign_on == "2026":
        return _slider(user, tried.slider_at)
    return None


def _image_code(user: User, given: str) -> Refused | None:
    expected, user.image_code = user.image_code, captcha.new_code()
    if expected is not None and given.upper() == expected:
        return None
    reason = "wrong_code" if given else "ask_code"
    return Refused(reason, {"image": captcha.code_image(user.image_code)})


def _slider(user: User, at: float | None) -> Refused | None:
    expected, user.slider_target = user.slider_target, captcha.new_target()
    if expected is not None and at is not None and captcha.slider_fits(expected, at):
        return None
    reason = "ask_slider" if at is None else "wrong_slider"
    data = {"image": captcha.slider_image(user.slider_target), "width": captcha.SLIDER_WIDTH}
    return Refused(reason, data)


def _password(user: User, password: str) -> Refused | None:
    if user.locked:
        return Refused("locked", {})
    user.password_tries += 1
    if secrets.compare_digest(password.encode(), user.password.encode()):
        user.wrong_passwords = 0
        return None
    user.wrong_passwords += 1
    user.locked = user.wrong_passwords >= MAX_WRONG_PASSWORDS
    return Refused("locked" if user.locked else "wrong_password", {})


def _ask_second_factor(school: School, user: User, service: str) -> Passed:
    user.second_factor_code = f"{secrets.randbelow(10**6):06d}"
    user.sms_sent += 1
    pending = secrets.token_hex(16)
    school.pending_factors[pending] = PendingFactor(user.username, service)
    redirect = f"{school.addresses.sign_on}{MFA_PATHS[school.settings.sign_on]}"
    return Passed(redirect, pending=pending)


def _let_in(school: School, username: str, service: str) -> Passed:
    return Passed(with_ticket(school, username, service), session=school.remember(username))


def second_factor(school: School, pending: str | None, code: str) -> Passed | Refused | None:
    """Judge the code of a second factor; None when no sign-on waits for one."""
    waiting = school.pending_factors.get(pending or "")
    user = school.users.get(waiting.username) if waiting is not None else None
    if pending is None or waiting is None or user is None:
        return None
    if code.strip() != user.second_factor_code:
        return Refused("wrong_factor", {})
    del school.pending_factors[pending]
    user.second_factor_code = None
    school.changed.fire()
    return _let_in(school, user.username, waiting.service)
