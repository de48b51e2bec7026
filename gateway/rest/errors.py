"""Errors as the rest of the gateway gives them: `{"error": {"message", "type", "param", "code"}}`, never HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied as PageDenied
from django.core.exceptions import ValidationError as ModelInvalid
from django.core.signals import got_request_exception
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts.keys import KeyRefused
from gateway.errors import GatewayError, LoginLimitReached
from gateway.rest.authentication import CHALLENGE
from tokens.wording import error_in_words

log = structlog.get_logger(__name__)

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refused(exceptions.APIException):
    """The request is understood, and what it asks for cannot be done now."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "refused"


class TooManyLogins(exceptions.APIException):
    """As `Throttled`, with when it is possible again in words too."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS

    def __init__(self, reached: LoginLimitReached) -> None:
        super().__init__(error_in_words(reached), code=reached.code)
        self.wait = max(0.0, (reached.at - timezone.now()).total_seconds())


class Unexpected(exceptions.APIException):
    default_detail = gettext_lazy("The gateway failed. Try again; if it stays so, tell the gateway's admin.")
    default_code = "internal_error"


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """The response of any exception that left a view."""
    set_rollback()
    if isinstance(error, GatewayError) and not isinstance(error, LoginLimitReached):
        return _challenged(Response(error.body(), status=error.status, headers=error.headers()))
    known = _known(error)
    if known is None:
        log.error("a request of the management API failed", exc_info=error)
        got_request_exception.send(sender=None, request=context.get("request"))
        known = Unexpected()
    return _challenged(Response(_body(known), status=known.status_code, headers=_headers(known)))


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound(_("There is nothing at this address, or it is not yours."))
        case PageDenied():
            return exceptions.PermissionDenied()
        case ModelInvalid():
            return exceptions.ValidationError(error.messages)
        case LoginLimitReached():
            return TooManyLogins(error)
        case KeyRefused():
            return Refused(str(error), code="key_refused")
        case _:
            return None


def _body(error: exceptions.APIException) -> dict[str, Any]:
    problems = list(_problems(error.detail))
    first, message = problems[0]
    return {
        "error": {
            "message": str(message) if len(problems) == 1 else " ".join(_named(*each) for each in problems),
            "type": TYPES.get(
                error.status_code, "server_error" if error.status_code >= 500 else "invalid_request_error"
            ),
            "param": first or None,
            "code": "invalid_value" if isinstance(error, exceptions.ValidationError) else message.code,
        }
    }


def _problems(detail: Any, place: str = "") -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    """Each message with the field that it is about, such as `allowed_networks.0`; "" for the request as a whole."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            general = name == "non_field_errors"
            yield from _problems(inner, place if general else f"{place}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _problems(inner, place)
    else:
        yield place, detail


def _named(place: str, message: exceptions.ErrorDetail) -> str:
    return f"{place}: {message}" if place else str(message)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    wait = getattr(error, "wait", None)
    return {"Retry-After": str(round(wait + 0.5))} if wait else {}


def _challenged(response: Response) -> Response:
    if response.status_code == status.HTTP_401_UNAUTHORIZED:
        response["WWW-Authenticate"] = CHALLENGE
    return response
