"""How a login can end other than well.

    LoginError
    ├── ChromeMissing        no Chrome or driver on this machine; the message says how to get one
    ├── ChromeFailed         Chrome did not start, or broke off
    ├── PasswordNeeded       the sign-on asks for a password and none is known
    ├── WrongPassword        the sign-on refused; never tried again by itself
    │   └── AccountLocked
    ├── PersonNeeded         a captcha, a second factor or a bot check: for a person to answer
    ├── PersonLeft           nobody watches a live login any more, or its watcher stopped it
    ├── SignOnTooFast        the sign-on asks to wait
    ├── LoginTimedOut        the time limit was reached
    └── LoginFailed          a page that is not understood, or none at all

Messages are plain sentences that hold no secret: neither username nor password, neither token nor cookie.
"""

from __future__ import annotations

from typing import Literal

Check = Literal["captcha", "second factor", "bot check", "password", "page"]


class LoginError(Exception):
    """`screenshot` is a PNG of the page with its form fields blanked, or None where there was no page to show."""

    screenshot: bytes | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ChromeMissing(LoginError):
    """No usable Chrome, or no driver for it."""


class ChromeFailed(LoginError):
    """Chrome did not start, or broke off in the middle."""


class PasswordNeeded(LoginError):
    """The kept sign-on cookies no longer serve, and no password was given."""

    asked: Check = "password"


class WrongPassword(LoginError):
    """The sign-on refused username and password. A repeated failure may lock the university account."""


class AccountLocked(WrongPassword):
    """The university account is locked or disabled: no password helps until a person has it unlocked."""


class PersonNeeded(LoginError):
    """The sign-on asks for something that only a person may answer; `asked` says what."""

    def __init__(self, asked: Check, message: str) -> None:
        super().__init__(message)
        self.asked = asked


class PersonLeft(LoginError):
    """The person of a live login has left it. Says nothing of the password."""


class SignOnTooFast(LoginError):
    """The sign-on asks to wait before the next try."""


class LoginTimedOut(LoginError):
    """The login did not end within its time limit."""


class LoginFailed(LoginError):
    """The pages did not lead to a token in any way that is known."""
