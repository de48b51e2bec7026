"""An account's state in words: a badge, why it is so, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Account
from gateway.formats import badge, moment, relative
from tokens.states import TONES, State, token_of
from tokens.wording import message_in_words

if TYPE_CHECKING:
    from tokens.states import StatedAccount


def state_badge(account: StatedAccount) -> SafeString:
    state = State(account.state)
    return badge(state.label, TONES[state])


def state_notes(account: StatedAccount) -> list[str]:
    """Since when or until when, and the reason."""
    match State(account.state):
        case State.LEAVING:
            return [_("since %(time)s") % {"time": moment(account.member.leaving_at)}]
        case State.PAUSED:
            return [_("since %(time)s") % {"time": moment(account.paused_at)}]
        case State.LOGGED_IN:
            return [_until(account), _not_renewed(account)]
        case State.WRONG_PASSWORD | State.NEEDS_YOU:
            return [message_in_words(account.login_block_reason)]
        case State.FAILING:
            return [_next_try(account), message_in_words(account.last_message or "")]
        case State.LOGGED_OUT:
            return [_why_logged_out(account)]
        case State.LOGGING_IN:
            return []


def works_until(account: Account) -> str:
    """Of an account that is logged in and that no login renews."""
    token = token_of(account)
    if token is None or token.expires_at is None:
        return _("It works for now, and is not renewed by itself.")
    told = {"time": moment(token.expires_at), "relative": relative(token.expires_at)}
    return _("It works until %(time)s (%(relative)s), and is not renewed by itself.") % told


def _until(account: Account) -> str:
    token = token_of(account)
    if token is None or token.expires_at is None:
        return _("its end is not known")
    told = {"time": moment(token.expires_at), "relative": relative(token.expires_at)}
    return _("until %(time)s (%(relative)s)") % told


def _not_renewed(account: Account) -> str:
    if account.login_block:
        told = {"block": account.get_login_block_display(), "reason": message_in_words(account.login_block_reason)}
        return _("Not renewed by itself: %(block)s. %(reason)s") % told
    return "" if account.can_log_in else _("Not renewed by itself: no password is stored.")


def _next_try(account: Account) -> str:
    if account.next_login_at <= timezone.now():
        return _("next try soon")
    return _("next try at %(time)s") % {"time": moment(account.next_login_at)}


def _why_logged_out(account: StatedAccount) -> str:
    token = token_of(account)
    if token is None:
        reason = _("has no token") if account.last_ended_at else _("never logged in")
    elif token.dead_at:
        reason = _("refused by the school since %(time)s") % {"time": moment(token.dead_at)}
    else:
        reason = _("since %(time)s") % {"time": moment(token.expires_at)}
    return reason if account.can_log_in else _("%(reason)s; no password is stored") % {"reason": reason}
