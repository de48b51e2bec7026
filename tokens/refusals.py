"""What a sign-on means when it does not let a login pass: its codes and texts, as data.

The codes are those of the protocol page ("extra checks"). The sign-on's texts are not known in full: an account that is
locked, a check and a limit are recognised by their words, and what is none of these counts as a wrong password, for
that is the one reading which never leads to another try.
"""

from __future__ import annotations

import re

from tokens.errors import AccountLocked, LoginError, PersonNeeded, SignOnTooFast, WrongPassword

CAPTCHA_CODES = {"SSO10023", "SSO10093", "SSO10024", "SSO10094"}
TOO_FAST_CODES = {"429"}
CLEAR_CODES = CAPTCHA_CODES | TOO_FAST_CODES
PASSED_CODES = {"0", "200"}
MAX_TEXT = 200

_LOCKED = re.compile(
    r"(?<!not )(?:is|was|been|now|account|temporarily) (?:locked|disabled|frozen|suspended)|locked out"
    r"|(?<![将会])(?:已被?|被)(?:暂时|临时)?(?:锁定|冻结|禁用|停用)|账[号户](?:锁定|冻结|禁用)",
    re.IGNORECASE,
)
_WRONG_PASSWORD = re.compile(
    r"(?:wrong|incorrect|invalid|bad) (?:\w+ (?:or|and|/) )?(?:user ?name|password|credential|account)"
    r"|(?:password|credentials?)[^.]{0,40}(?:wrong|incorrect|invalid|not (?:match|correct|valid))"
    r"|密码[^。]{0,6}(?:错误|有误|不正确|不匹配|无效)",
    re.IGNORECASE,
)
_TOO_FAST = re.compile(r"too (?:fast|frequent|often|many)|(?:later|wait)\b|频繁|过快|稍[后候]|次数过多", re.IGNORECASE)
_CAPTCHA = re.compile(r"captcha|verification code|image code|slider|slide|验证码|滑块|滑动|拼图", re.IGNORECASE)


def refusal(*, code: str, text: str) -> LoginError:
    """Return the error for a refused login: `code` of the sign-on's answer ("" where unknown) and the text it shows."""
    said = f'The sign-on refused the login: "{text[:MAX_TEXT]}"' if text else "The sign-on refused the login."
    if code in CAPTCHA_CODES:
        return _captcha(text)
    if code in TOO_FAST_CODES:
        return SignOnTooFast(said)
    return _by_words(text, said)


def _by_words(text: str, said: str) -> LoginError:
    if _LOCKED.search(text):
        return AccountLocked(said)
    if _WRONG_PASSWORD.search(text):
        return WrongPassword(said)
    if _CAPTCHA.search(text):
        return _captcha(text)
    if _TOO_FAST.search(text):
        return SignOnTooFast(said)
    return WrongPassword(said)


def _captcha(text: str) -> PersonNeeded:
    if not text:
        return PersonNeeded("captcha", "The sign-on asks for a captcha.")
    return PersonNeeded("captcha", f'The sign-on asks for a captcha: "{text[:MAX_TEXT]}"')
