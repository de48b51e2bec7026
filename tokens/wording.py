"""What a login says, in the reader's language. Rows and errors hold the English text, which is the catalogue's key.

Steps and most messages are fixed sentences. Where one names something (a host, what the school said), it is found again
by its pattern, so that the sentence is translated as a whole and what it names stays as it was.
"""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_noop

from gateway.errors import GatewayError, LoginLimitReached
from tokens.limits import LOGINS_AN_HOUR

STEPS = (
    gettext_noop("starting Chrome"),
    gettext_noop("opening the portal"),
    gettext_noop("typing the password"),
    gettext_noop("submitting the password"),
    gettext_noop("second factor"),
    gettext_noop("asking a person"),
    gettext_noop("submitting the code"),
    gettext_noop("waiting for a slot of the account"),
    gettext_noop("opening the chat page"),
    gettext_noop("starting the chat page"),
    gettext_noop("waiting for the token"),
    gettext_noop("token captured"),
    gettext_noop("blocked another site"),
    gettext_noop("closed another window"),
)

ASKED = {
    "captcha": gettext_noop("The school asks for a captcha. Solve it in the picture."),
    "second factor": gettext_noop("The school asks for a second factor. Enter the code in the picture and confirm it."),
    "bot check": gettext_noop(
        "The page stayed blank, as it does for automated browsers. See whether it shows anything."
    ),
    "password": gettext_noop("The school asks for the password. Type it in the picture and sign in."),
    "dialog": gettext_noop("The school's page asks something in a box of its own. Answer it below."),
    "page": gettext_noop(
        "The gateway cannot go on by itself on this page. See what it asks, and lead it on to the portal."
    ),
}
"""What is asked of a person in a live login, by the word in the attempt's `asked`."""

SENTENCES = (
    gettext_noop("The sign-on asks for a captcha."),
    gettext_noop("The sign-on asks for a second factor."),
    gettext_noop("The sign-on asks for the password, and none is stored."),
    gettext_noop("The sign-on shows nothing to an automated browser."),
    gettext_noop("The sign-on shows a page on which only a person can go on."),
    gettext_noop("The sign-on refused the login."),
    gettext_noop("The sign-on's button could not be clicked."),
    gettext_noop("The chat page opened, but neither its calls nor its stores held a token."),
    gettext_noop("The chat page has a token but made no call that shows the API's address: set XIPU_API_URL."),
    gettext_noop("One of the configured selectors is not valid CSS."),
    gettext_noop("Chrome had not started when the time limit was reached."),
    gettext_noop("Some of Chrome's processes could not be ended."),
    gettext_noop("The password was changed during this login."),
    gettext_noop("The process that ran this login ended in the middle of it."),
    gettext_noop("The person who watched this login has left it."),
    gettext_noop("The person who asked for this login stopped it."),
    gettext_noop("Nobody opened the live view of this login."),
    gettext_noop("The live view's connection broke."),
    gettext_noop("The page asks something in a box of its own."),
    gettext_noop("A live login has one window."),
    gettext_noop("A live login shows the school's own pages only, and this was another."),
    gettext_noop("No browser was free for this login while its page was open."),
    gettext_noop("This XJTLU account is paused. Ask the gateway's admin to resume it."),
    gettext_noop(
        "No XJTLU password is stored, and no token works. Store the password on your account's page of the "
        "dashboard, or bring a token there."
    ),
    gettext_noop("A login of this account is running. Wait for its end, then open the live login."),
    gettext_noop("This token has expired. Log in at the school again and copy a fresh one."),
    gettext_noop('Paste a JSON object: {"jm_token": …, "sdp_app_session": "", "cookies": {…}, "api_url": …}.'),
    gettext_noop("The XJTLU login failed. The gateway tries again by itself."),
)

PATTERNS = (
    gettext_noop('The sign-on refused the login: "%(text)s"'),
    gettext_noop('The sign-on asks for a captcha: "%(text)s"'),
    gettext_noop('The sign-on asks for a second factor: "%(text)s"'),
    gettext_noop('The sign-on came back after the second factor: "%(text)s"'),
    gettext_noop("The sign-on refused %(number)s codes of the second factor."),
    gettext_noop("%(place)s stayed blank, as it does for automated browsers."),
    gettext_noop("The login came no further than the %(page)s page %(place)s."),
    gettext_noop("The login did not end within %(seconds)s s."),
    gettext_noop("Chrome could not open the page: %(reason)s."),
    gettext_noop(
        "The school's page led to %(host)s, which a live login does not open. If the school's sign-on needs it, the "
        "gateway's admin adds it to XIPU_SIGN_ON_HOSTS."
    ),
    gettext_noop("%(host)s. If the school's sign-on needs it, the gateway's admin adds it to XIPU_SIGN_ON_HOSTS."),
    gettext_noop("Chrome did not start: %(reason)s"),
    gettext_noop("Chrome broke off: %(reason)s"),
    gettext_noop("Unexpected %(kind)s: see the worker's log."),
    gettext_noop("This token belongs to another XJTLU user than %(user)s."),
    gettext_noop('"%(field)s" must be a text.'),
    gettext_noop('"%(field)s" holds line breaks or control characters.'),
    gettext_noop('"%(field)s" must be an object of names to texts.'),
    gettext_noop(
        '"%(field)s" must be a plain https address, without a user name, "?" or "#", under %(domain)s, on the host of '
        "XIPU_PORTAL_URL or XIPU_API_URL, or on one of XIPU_TRUSTED_HOSTS."
    ),
    gettext_noop("No Chrome with a driver of the same version was found. %(advice)s"),
    gettext_noop("The Chrome that was found cannot be run. %(advice)s"),
    gettext_noop("%(variable)s is set to %(path)s, which cannot be run. %(advice)s"),
)

INNER = gettext_noop(
    "Two logins in a row failed after the password was sent, so it is not sent again by itself. %(message)s"
)
"""Its `message` is itself one of these sentences."""


def in_words(step: str) -> str:
    """A login's step in the reader's language."""
    return gettext(step) if step else ""


def asked_in_words(asked: str) -> str:
    """What is asked of the person in a live login; "" where nothing is."""
    return gettext(ASKED[asked]) if asked in ASKED else ""


def message_in_words(message: str) -> str:
    """A login's message, or the reason of an account's block, in the reader's language; an unknown one as it is."""
    if message in SENTENCES:
        return gettext(message)
    if found := _REGULAR[INNER].fullmatch(message):
        return gettext(INNER) % {"message": message_in_words(found["message"])}
    for pattern in PATTERNS:
        if found := _REGULAR[pattern].fullmatch(message):
            return gettext(pattern) % found.groupdict()
    return message


def error_in_words(error: GatewayError) -> str:
    """Why no login starts, in the reader's language and time zone."""
    if not isinstance(error, LoginLimitReached):
        return message_in_words(error.message)
    message = gettext(
        "This account was logged in %(number)d times within an hour. The school locks who types a password too often: "
        "the next login is possible from %(time)s on."
    )
    # To the minute in which it is possible, not the one before.
    at = localtime(error.at + timedelta(seconds=59))
    return message % {"number": LOGINS_AN_HOUR, "time": f"{at:%H:%M}"}


def _regular(pattern: str) -> re.Pattern[str]:
    """What matches the sentence with anything in its places; a reason that was cut off loses its end only."""
    parts = re.split(r"%\((\w+)\)s", pattern)
    return re.compile(
        "".join(re.escape(part) if index % 2 == 0 else f"(?P<{part}>.*?)" for index, part in enumerate(parts)),
        re.DOTALL,
    )


_REGULAR = {pattern: _regular(pattern) for pattern in (*PATTERNS, INNER)}
