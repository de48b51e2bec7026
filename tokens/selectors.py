"""Where things are on the school's pages, as data: the part of the school that changes most.

Both generations of the sign-on are listed together (protocol page, "Logging in"): which of them a page is, is found out
by what is there. `#username_show` and its like are the form of 2025, `.para-widget-account-psw__...` the page of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SELECTORS: Mapping[str, Sequence[str]] = {
    "username": (
        "#username_show",
        ".para-widget-account-psw__input--account input[type=text]",
    ),
    "password": (
        "#password_show",
        ".para-widget-account-psw__input--psw input[type=password]",
    ),
    "login_button": (
        "#btn_login input",
        "button.para-widget-account-psw__login-button",
    ),
    "error": (
        "#msg",
        "[class*='para-widget'] [class*='error' i]",
        "[class*='error-message' i]",
        "[class*='error-msg' i]",
        "[class*='message--error' i]",
        "[class*='message-error' i]",
        "[class*='form-item__error' i]",
        "[role=alert]",
    ),
    # The code page's fields are not known: where none of these fits, pages.py takes the one visible text field.
    "code": (
        "input[autocomplete='one-time-code']",
        "input[name*='otp' i]",
    ),
    "code_button": (),
    # Marks of an image code or a slider. Invisible badges of a captcha service ask nothing of anybody.
    "captcha": (
        "[class*='captcha' i]:not([class*='grecaptcha-badge'], [class*='grecaptcha-badge'] *)",
        "[id*='captcha' i]",
        "img[src*='captcha' i]",
        "img[src*='verifycode' i]",
        "img[alt*='verification code' i]",
        "iframe[src*='captcha' i]:not([class*='grecaptcha-badge'] *)",
        "[class*='slide-verify' i]",
        "[class*='slider-verify' i]",
        "[class*='verify-slide' i]",
        "[class*='para-widget'] [class*='slider' i]",
        "form [class*='slider' i]",
    ),
    "chat_link": ("a[href='/v3/chat']",),
    "start_button": ("button:has(span.n-button__content)",),
    "textarea": ("textarea",),
}

CODE_PAGE_ADDRESSES: Sequence[str] = ("mfalogin",)
"""The second factor's page has one of these in its path, whatever the case."""

CHAT_PAGE_ADDRESSES: Sequence[str] = ("/chat",)
"""The chat page has one of these in its path."""

SIGN_ON_CALLS: Sequence[str] = ("dologin", "mfa")
"""Calls of the sign-on pages that answer `{"code", "msg", "data": {"redirect"}}` have one of these in their path."""


def with_extra(extra: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return all selectors by field, those of `extra` first. Raises ValueError for a field that does not exist."""
    unknown = sorted(set(extra) - set(SELECTORS))
    if unknown:
        raise ValueError(f"unknown fields {', '.join(unknown)}; known are {', '.join(SELECTORS)}")
    return {field: [*extra.get(field, ()), *known] for field, known in SELECTORS.items()}
