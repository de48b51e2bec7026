"""How a member's account stands, in words: until when it works, and what the member must do now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, LoginBlock, Member
from gateway.formats import Tone
from tokens.models import LoginAttempt
from tokens.states import State, with_state
from tokens.wording import message_in_words

if TYPE_CHECKING:
    from tokens.states import StatedAccount


class Act(TextChoices):
    """What the member can do about it: two begin at once, the others lead to a place on the account's page."""

    NONE = "", ""
    LOG_IN = "log-in", _("Log in now")
    SET_PASSWORD = "password", _("Set the XJTLU password")
    OPEN_LIVE = "live", _("Open a live login")
    WATCH = "watch", _("Watch the login")


@dataclass(frozen=True)
class Standing:
    """`reason`: what the last login said. `until`: when the login ends; `renews_at`: when it is renewed by itself."""

    tone: Tone
    title: str | Promise
    advice: str | Promise
    act: Act = Act.NONE
    reason: str = ""
    until: datetime | None = None
    renews_at: datetime | None = None

    @property
    def mark(self) -> str:
        """Tells what is shown of it from anything else."""
        shown = (self.tone, str(self.title), str(self.advice), self.reason, str(self.until), str(self.renews_at))
        return sha256("\n".join(shown).encode()).hexdigest()[:16]


_NO_ACCOUNT = Standing(
    "warn", _("No XJTLU account is connected to you."), _("Ask the gateway's admin to add yours; chats need it.")
)
_LEAVING = Standing("bad", _("Your membership is ending."), _("No key of yours works any more."))
_PAUSED = Standing(
    "warn",
    _("Your account is paused."),
    _("The gateway's admin has paused it: no chat goes through until the admin resumes it."),
)


def standing_of(member: Member) -> Standing:
    account = with_state(Account.objects.filter(member=member)).first()
    return _NO_ACCOUNT if account is None else standing(account)


def standing(account: StatedAccount) -> Standing:
    """Of an account that `tokens.states.with_state` gave."""
    match account.state:
        case State.LEAVING:
            return _LEAVING
        case State.PAUSED:
            return _PAUSED
        case State.LOGGED_IN:
            return _logged_in(account)
        case State.LOGGING_IN:
            return _logging_in(account)
    return _blocked(account) or _logged_out(account)


def _logged_in(account: StatedAccount) -> Standing:
    token = account.token
    if blocked := _blocked(account):
        # It works for now; what comes next is better said before it comes.
        advice = _("It works until then, and is not renewed by itself any more. %(advice)s")
        title = _("You are logged in, but not for long.")
        said = advice % {"advice": blocked.advice}
        return replace(blocked, tone="warn", title=title, advice=said, until=token.expires_at)
    if not account.can_log_in:
        return Standing(
            "warn",
            _("You are logged in, but not for long."),
            _(
                "Chats go through for now. The gateway has no XJTLU password of yours, so the login is not renewed by "
                "itself: set one, or hand over a fresh token in time."
            ),
            Act.SET_PASSWORD,
            until=token.expires_at,
        )
    return Standing(
        "good",
        _("Your account is healthy."),
        _("Chats go through. There is nothing for you to do."),
        until=token.expires_at,
        renews_at=token.refresh_at,
    )


def _logging_in(account: StatedAccount) -> Standing:
    asked = LoginAttempt.objects.filter(account=account, ended_at=None).exclude(asked="").exists()
    if asked:
        return Standing(
            "warn",
            _("The school asks you for something."),
            _("A login is running, and it waits for you: answer it in the live view."),
            Act.OPEN_LIVE,
        )
    return Standing(
        "busy",
        _("Your account is being logged in."),
        _("This takes about half a minute. Chats that come meanwhile wait for it."),
        Act.WATCH,
    )


def _blocked(account: StatedAccount) -> Standing | None:
    reason = message_in_words(account.login_block_reason)
    match account.login_block:
        case LoginBlock.WRONG_PASSWORD:
            return Standing(
                "bad",
                _("The school did not take your XJTLU password."),
                _("It is not tried again by itself. Type the right one; then the gateway logs you in."),
                Act.SET_PASSWORD,
                reason,
            )
        case LoginBlock.NEEDS_YOU:
            return Standing(
                "warn",
                _("The login needs you."),
                _("The school asks for something that only you can answer. Open a live login and answer it there."),
                Act.OPEN_LIVE,
                reason,
            )
    return None


def _logged_out(account: StatedAccount) -> Standing:
    if not account.can_log_in:
        return Standing(
            "warn",
            _("Your account is logged out."),
            _("The gateway has no XJTLU password of yours, so it cannot log you in. Set one, or hand over a token."),
            Act.SET_PASSWORD,
        )
    if account.state == State.FAILING:
        return Standing(
            "bad",
            _("The last login failed."),
            _("The gateway tries again by itself; you can also start a login now."),
            Act.LOG_IN,
            message_in_words(account.last_message or ""),
            renews_at=account.next_login_at,
        )
    return Standing(
        "quiet",
        _("Your account is logged out."),
        _("It is logged in with your next chat, which then takes half a minute longer, or right now."),
        Act.LOG_IN,
    )
