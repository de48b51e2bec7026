"""How the school refuses a call: a code, an HTTP status, an event of a stream, or the sign-on's HTML."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from simulator.pages import page
from simulator.settings import Settings
from simulator.stream import event

TOO_FAST = "Request too fast, please try again later!"
MISLEADING = " If this happens again, please adjust the length of the context."
CAP = "You have created {count} sessions, please delete some of them first!"


class Refusal(Exception):
    """One refused call. `name` is what the state shows; `shape` is how it looks on the wire."""

    def __init__(self, name: str, code: int, msg: str, *, shape: str = "code", status: int = 200) -> None:
        super().__init__(name)
        self.name = name
        self.code = code
        self.msg = msg
        self.shape = shape
        self.status = status


def too_fast(settings: Settings, shape: str) -> Refusal:
    """The user's calls follow each other too closely."""
    msg = TOO_FAST + (MISLEADING if settings.too_fast_misleading else "")
    return Refusal("too_fast", 10006, msg, shape=shape, status=429)


def token_dead(settings: Settings, shape: str, status: int | None = None) -> Refusal:
    """The token is unknown, expired, revoked, or lacks what must come with it; `status` is 401 or 403."""
    status = status or settings.token_dead_status
    if shape == "http500":
        return Refusal("token_dead", 500, "Internal Server Error", shape="http", status=500)
    return Refusal("token_dead", status, "Login has expired, please log in again.", shape=shape, status=status)


def cap(settings: Settings, shape: str) -> Refusal:
    """The user has as many sessions as the school allows."""
    return Refusal("cap", 10009, CAP.format(count=settings.max_sessions), shape=shape)


def outage(status: int) -> Refusal:
    """Something in front of the school is down."""
    return Refusal("outage", status, "Service Unavailable", shape="http", status=status)


def bad_request(reason: str) -> Refusal:
    """The school cannot read the call."""
    return Refusal("bad_request", 10001, f"Parameter error: {reason}")


def unknown_session() -> Refusal:
    """The session does not exist, or is somebody else's."""
    return Refusal("unknown_session", 10002, "The session does not exist.")


def unknown_model() -> Refusal:
    """The model is not in the list."""
    return Refusal("unknown_model", 10003, "The model does not exist.")


def session_busy() -> Refusal:
    """A stream of the session is open or has only just ended."""
    return Refusal("session_busy", 10012, "The session is in use, please try again later!")


def answer(settings: Settings, code: int, msg: str, data: Any = None, status: int = 200) -> Response:
    """Return the school's JSON."""
    shown = str(code) if settings.string_codes else code
    return JSONResponse({"code": shown, "msg": msg, "data": data}, status)


def response(settings: Settings, call: str, refusal: Refusal) -> Response:
    """Return what the client sees; only a completion can be refused by an event."""
    if refusal.shape == "html":
        return page(f"login_{settings.sign_on}", delay=settings.element_delay_ms, message="")
    if refusal.shape == "event" and call == "completions":
        body = event({"code": refusal.code, "msg": refusal.msg}, settings.frames)
        return Response(body, media_type="text/event-stream")
    status = refusal.status if refusal.shape == "http" else 200
    return answer(settings, refusal.code, refusal.msg, status=status)
