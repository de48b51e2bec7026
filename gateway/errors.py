"""The one tree of errors. What a member reads is decided here: HTTP status, OpenAI type and code, whether to retry.

    GatewayError
    ├── InvalidRequest            400  the request itself is wrong; names the parameter
    │   ├── ModelNotFound         404
    │   ├── ResponseNotFound      404
    │   ├── UnknownRoute          404
    │   ├── MethodNotAllowed      405
    │   └── RequestTooLarge       413
    ├── InvalidApiKey             401
    │   └── NotSignedIn           401  a page's request without a session
    ├── AccountBlocked            403  no account, paused: a person must act
    ├── AddressNotAllowed         403  the key is not for the address that was seen
    ├── ForeignPage               403  a page's request that does not come from our page
    ├── KeyLimitReached           429  the key has made as many requests as it may
    ├── LoginLimitReached         429  people have logged the account in as often as they may
    ├── QueueFull                 429  too many calls of the account wait already
    ├── AccountUnavailable        503  no usable upstream token, and a login did not bring one in time
    ├── ShuttingDown              503
    ├── DatabaseUnreachable       503
    ├── ContentFiltered           400  the school's filter or firewall refused
    └── SchoolError               502  the school failed
        ├── SchoolRefused              refused before it was accepted: the same call may be repeated
        │   ├── SchoolTooFast     429
        │   ├── TokenDead         503
        │   └── TooManySessions   429
        ├── SchoolUnreachable     503  no connection: nothing was sent
        ├── SchoolServerError     502  an HTTP status that says nothing known
        ├── SchoolNoAnswer        502  sent, no answer: unknown what the school did
        ├── SchoolMalformed       502  an answer that cannot be read
        └── AnswerCut             502  the stream ended with neither `[DONE]` nor summary
            └── AnswerEmpty            it ended in order, with nothing in it

Messages are for the member: they say what happened and what to do, and never hold a secret, a prompt or an answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

MAX_RETRY_AFTER_SECONDS = 60
"""Above 120 s the OpenAI SDK for Python gives up at once; without the header it fires three calls within 1.4 s."""


class GatewayError(Exception):
    """What a member is told. `retry_after` is in seconds; `permanent`: a retry cannot help, or only costs points."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str | None = "internal_error"
    param: str | None = None
    permanent: bool = False
    retry_after: int | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        permanent: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if param is not None:
            self.param = param
        if permanent is not None:
            self.permanent = permanent
        if retry_after is not None:
            self.retry_after = max(1, min(MAX_RETRY_AFTER_SECONDS, round(retry_after + 0.5)))

    def body(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`, as OpenAI clients read it."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """`retry-after` in seconds where waiting helps, `x-should-retry: false` where a retry would not."""
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.permanent:
            headers["x-should-retry"] = "false"
        return headers


class ClientLeft(Exception):
    """The client went away, or reads nothing any more: there is nobody to tell."""


class InvalidRequest(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_value"
    permanent = True


class ModelNotFound(InvalidRequest):
    status = 404
    code = "model_not_found"
    param = "model"


class ResponseNotFound(InvalidRequest):
    status = 404
    code = "response_not_found"


class UnknownRoute(InvalidRequest):
    status = 404
    code = "unknown_url"


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class RequestTooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class InvalidApiKey(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"
    permanent = True


class NotSignedIn(InvalidApiKey):
    code = "not_signed_in"


class AccountBlocked(GatewayError):
    status = 403
    type = "permission_error"
    code = "account_blocked"
    permanent = True


class AddressNotAllowed(GatewayError):
    status = 403
    type = "permission_error"
    code = "ip_not_authorized"
    permanent = True


class ForeignPage(GatewayError):
    status = 403
    type = "permission_error"
    code = "foreign_page"
    permanent = True


class KeyLimitReached(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class LoginLimitReached(GatewayError):
    """`at`: from when on it is possible again."""

    status = 429
    type = "rate_limit_error"
    code = "login_limit_reached"

    def __init__(self, message: str, *, at: datetime) -> None:
        super().__init__(message)
        self.at = at


class QueueFull(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retry_after = 5


class AccountUnavailable(GatewayError):
    status = 503
    code = "account_unavailable"
    retry_after = 30


class ShuttingDown(GatewayError):
    status = 503
    code = "shutting_down"
    retry_after = 5


class DatabaseUnreachable(GatewayError):
    status = 503
    code = "database_unreachable"
    retry_after = 10


class ContentFiltered(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "content_filter"
    permanent = True


class SchoolError(GatewayError):
    """The school failed. Unless it is a `SchoolRefused` or `SchoolUnreachable`, the call may have been accepted."""

    status = 502
    code = "school_error"


class SchoolRefused(SchoolError):
    """Refused before the school accepted anything: the same call may be repeated."""


class SchoolTooFast(SchoolRefused):
    status = 429
    type = "rate_limit_error"
    code = "school_too_fast"
    retry_after = 5


class TokenDead(SchoolRefused):
    status = 503
    code = "token_expired"
    retry_after = 30


class TooManySessions(SchoolRefused):
    status = 429
    type = "rate_limit_error"
    code = "too_many_sessions"
    retry_after = 60


class SchoolUnreachable(SchoolError):
    status = 503
    code = "school_unreachable"
    retry_after = 10


class SchoolServerError(SchoolError):
    """An HTTP status of 400 or more that says nothing known: most often a bare 500 or 502.

    Some calls answer a dead token with a 500 (protocol page), and so does an outage: ask `chat/config` which it is.
    """

    def __init__(self, http_status: int) -> None:
        super().__init__(f"The school's server failed (HTTP status {http_status}). Try again later.")
        self.http_status = http_status


class SchoolNoAnswer(SchoolError):
    code = "school_no_answer"


class SchoolMalformed(SchoolError):
    code = "school_malformed"


class AnswerCut(SchoolError):
    code = "answer_cut"
    permanent = True


class AnswerEmpty(AnswerCut):
    """A banned word in the prompt may look like this (protocol page)."""
