"""What became of a request, in plain words: the cause, who must act, and whether a retry is safe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gateway.models import UsageRecord, UsageStatus


class Who(TextChoices):
    """Who must act before the same request can succeed."""

    MEMBER = "member", _("the member")
    ADMIN = "admin", _("the gateway's admin")
    SCHOOL = "school", _("the school")
    NOBODY = "nobody", _("nobody")


class Retry(TextChoices):
    """What sending the same request once more does."""

    SAFE = "safe", _("A retry is safe: the school had not taken the prompt.")
    COSTS = "costs", _("A retry may help, but it asks the school anew and may cost points a second time.")
    USELESS = "useless", _("A retry is useless until the cause is mended.")


@dataclass(frozen=True)
class Explanation:
    """`cause` is a sentence or two; `who.label` and `retry.label` say the other two in words."""

    cause: str | Promise
    who: Who
    retry: Retry


class _Known(NamedTuple):
    cause: str | Promise
    who: Who
    retry: Retry


def _all(codes: Iterable[str], cause: str | Promise, who: Who, retry: Retry) -> dict[str, _Known]:
    return dict.fromkeys(codes, _Known(cause, who, retry))


BY_CODE: dict[str, _Known] = {
    # The request itself
    **_all(
        (
            *("invalid_value", "invalid_type", "invalid_json", "missing_required_parameter", "unsupported_parameter"),
            *("empty_array", "array_above_max_length"),
        ),
        _("The request was not valid: a parameter is missing, of a wrong kind, or out of range. The answer names it."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("invalid_json_schema",),
        _("The JSON schema for the answer is not valid, or uses what the gateway cannot check."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("model_not_found",),
        _("There is no model of this name for the account. The models page lists those on offer."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("images_not_supported",),
        _("The model cannot see images. Choose one that can, or leave the images out."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("invalid_image_url", "invalid_image_format", "invalid_base64"),
        _("An image could not be fetched or read. It must be a PNG, JPEG, GIF or WebP, in the request or on the web."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("too_many_images", "image_too_large", "file_too_large", "invalid_file"),
        _("The attachments are too many, too large, or of a kind that cannot be read."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("request_too_large", "headers_too_large", "too_large_to_store"),
        _("The request is larger than the gateway takes. Shorten the conversation or its attachments."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("response_not_found", "previous_response_not_found"),
        _("The stored response that the request goes on from is not there: it expired, or was never stored."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("unknown_url", "method_not_allowed"),
        _("The gateway has no such address or method. The client's base URL is probably wrong."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("host_not_allowed",),
        _("The gateway was called by a host name that it does not know. Its admin can allow that name."),
        Who.ADMIN,
        Retry.USELESS,
    ),
    **_all(
        ("content_filter",),
        _("The school's content filter refused the prompt or the answer. Change the wording."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("invalid_structured_output",),
        _("The model's answer did not fit the wanted JSON schema, not even when it was asked a second time."),
        Who.NOBODY,
        Retry.COSTS,
    ),
    # The key and its limits
    **_all(
        ("invalid_api_key",),
        _("The API key is unknown, expired or revoked. Make a new one on the keys page."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("ip_not_authorized",),
        _("The API key may be used from certain networks only, and the request came from another."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("not_signed_in", "foreign_page"),
        _("The playground's request came without a session of its page. Sign in and open the playground again."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    # The account
    **_all(
        ("no_account",),
        _("No XJTLU account is set up here yet. The gateway's admin can add it."),
        Who.ADMIN,
        Retry.USELESS,
    ),
    **_all(
        ("account_paused",),
        _("The XJTLU account is paused here. The gateway's admin can resume it."),
        Who.ADMIN,
        Retry.USELESS,
    ),
    **_all(
        ("account_blocked",),
        _("The XJTLU account cannot be used until its owner acts. The account page says what to do."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("wrong_password",),
        _("The school did not take the XJTLU password. Type the right one on the account page."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("password_missing",),
        _("The account is logged out and has no XJTLU password here. Set one, or hand over a token."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("login_needs_you",),
        _("At the login the school asks its user for something, such as a captcha or a code. Open a live login."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("foreign_token",),
        _("The token belongs to another XJTLU user than the account. Hand over the account's own."),
        Who.MEMBER,
        Retry.USELESS,
    ),
    **_all(
        ("account_unavailable", "login_running", "login_failed", "token_expired"),
        _("The account was not logged in, and a login did not bring a token in time. The gateway tries by itself."),
        Who.NOBODY,
        Retry.SAFE,
    ),
    # Waiting
    **_all(
        ("rate_limit_exceeded",),
        _("Too many requests came at once, or within the allowed time. Wait for the seconds that the answer names."),
        Who.NOBODY,
        Retry.SAFE,
    ),
    **_all(
        ("school_too_fast",),
        _("The school takes only one call of an account at a time, and refused this one as too early."),
        Who.NOBODY,
        Retry.SAFE,
    ),
    **_all(
        ("too_many_sessions",),
        _("The account has 50 chats open at the school. Delete some of those made in the browser."),
        Who.MEMBER,
        Retry.SAFE,
    ),
    **_all(
        ("login_limit_reached",),
        _("The account was logged in too often within an hour. The next login is possible a little later."),
        Who.NOBODY,
        Retry.SAFE,
    ),
    # The school
    **_all(
        ("school_unreachable",),
        _("The school could not be reached. Nothing was sent."),
        Who.SCHOOL,
        Retry.SAFE,
    ),
    **_all(
        ("school_error",),
        _("The school reported an error of its own."),
        Who.SCHOOL,
        Retry.COSTS,
    ),
    **_all(
        ("school_no_answer",),
        _("The school gave no answer in time. It may have taken the prompt all the same."),
        Who.SCHOOL,
        Retry.COSTS,
    ),
    **_all(
        ("school_malformed",),
        _("The school's answer could not be read. Should it happen again, the gateway needs an update."),
        Who.ADMIN,
        Retry.COSTS,
    ),
    **_all(
        ("answer_cut",),
        _("The school's answer broke off, or was empty. A forbidden word in the prompt can look like this."),
        Who.SCHOOL,
        Retry.COSTS,
    ),
    # The gateway
    **_all(
        ("shutting_down",),
        _("The gateway was restarted in the middle of the request."),
        Who.NOBODY,
        Retry.SAFE,
    ),
    **_all(
        ("database_unreachable",),
        _("The gateway could not reach its database."),
        Who.ADMIN,
        Retry.SAFE,
    ),
    **_all(
        ("internal_error",),
        _("The gateway failed by a mistake of its own. The admin finds it in the log by the request id."),
        Who.ADMIN,
        Retry.SAFE,
    ),
}

_BEFORE_THE_PROMPT = {
    *("account_unavailable", "login_running", "login_failed", "token_expired", "rate_limit_exceeded"),
    *("school_too_fast", "too_many_sessions", "school_unreachable"),
}
"""Refused by the gateway, or by the school as the first thing: a session that exists says nothing about the prompt."""

_CANCELLED = _("The client went away, or was told to stop, before the answer was whole.")
_LOST = _("The gateway's process ended in the middle of the request.")
_UNKNOWN_REFUSAL = _("The request was refused. The answer that the client got says why.")
_UNKNOWN_FAILURE = _("The request failed. The admin finds more in the log by the request id.")
_UNKNOWN = _("The request failed. What the gateway said tells more.")


def causes() -> dict[str, str]:
    """The cause of each code in the reader's language; of "" for those of another version of the gateway."""
    return {code: str(known.cause) for code, known in BY_CODE.items()} | {"": str(_UNKNOWN)}


def cause_of(code: str | None) -> str:
    """What a page says in place of an error's own message, which is English."""
    known = BY_CODE.get(code or "")
    return str(known.cause if known else _UNKNOWN)


def explain(record: UsageRecord) -> Explanation | None:
    """Why the request got no whole answer; None where it got one, or still runs."""
    if record.status == UsageStatus.CANCELLED:
        return Explanation(_CANCELLED, Who.NOBODY, _retry(record, Retry.SAFE))
    if record.status == UsageStatus.LOST:
        return Explanation(_LOST, Who.ADMIN, Retry.COSTS)
    if record.status == UsageStatus.FAILED:
        known = BY_CODE.get(record.error_code) or _by_status(record.http_status)
        return Explanation(known.cause, known.who, _retry(record, known.retry))
    return None


def _by_status(http_status: int | None) -> _Known:
    """For codes of another version of the gateway."""
    if http_status is not None and 400 <= http_status < 500:
        return _Known(_UNKNOWN_REFUSAL, Who.MEMBER, Retry.USELESS)
    return _Known(_UNKNOWN_FAILURE, Who.ADMIN, Retry.COSTS)


def _retry(record: UsageRecord, retry: Retry) -> Retry:
    """Nothing is safe to repeat once the school may have taken the prompt."""
    answered = record.first_token_ms is not None
    may_be_sent = record.session_ms is not None and record.error_code not in _BEFORE_THE_PROMPT
    return Retry.COSTS if retry is Retry.SAFE and (answered or may_be_sent) else retry
