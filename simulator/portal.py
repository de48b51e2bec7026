"""The portal's pages on `127.0.0.1`: home, the chat page, and what its script asks for."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator.context import school_of
from simulator.pages import page
from simulator.state import Grant, School

COOKIE = "XIPU_PORTAL_SESSION"


def _to_sign_on(school: School) -> Response:
    query = urlencode({"service": f"{school.addresses.portal}/"})
    return RedirectResponse(f"{school.addresses.sign_on}/sso?{query}", 302)


def _grant(request: Request) -> Grant | None:
    return school_of(request).portal_grant(request.cookies.get(COOKIE))


async def home(request: Request) -> Response:
    """Show the home page; take the sign-on's ticket first, or lead to the sign-on without a session."""
    school = school_of(request)
    ticket = request.query_params.get("ticket")
    if ticket is not None:
        return _redeem(school, ticket)
    if _grant(request) is None:
        return _to_sign_on(school)
    return page("home", delay=school.settings.element_delay_ms)


def _redeem(school: School, ticket: str) -> Response:
    username = school.redeem(ticket, f"{school.addresses.portal}/")
    if username is None:
        return _to_sign_on(school)
    grant = school.grant(username)
    response = RedirectResponse("/", 302)
    response.set_cookie(COOKIE, grant.portal_session, httponly=True, samesite="lax")
    school.changed.fire()
    return response


async def chat(request: Request) -> Response:
    """Show the chat page."""
    school = school_of(request)
    if _grant(request) is None:
        return _to_sign_on(school)
    settings = school.settings
    return page(
        "chat",
        delay=settings.element_delay_ms,
        storage=settings.token_storage,
        callsApi=settings.page_calls_api,
        interval=settings.interval,
    )


async def user_info(request: Request) -> Response:
    """Give the page its token: `{"token", "sdpAppSession" ("" in 2026), "apiUrl", "username"}`."""
    school = school_of(request)
    grant = _grant(request)
    if grant is None:
        return JSONResponse({"code": 401, "msg": "Unauthorized", "data": None}, 401)
    wire = school.settings.wire
    data = {
        "token": grant.jm_token,
        "sdpAppSession": grant.sdp_app_session if wire == "2025" else "",
        "apiUrl": school.addresses.api(wire),
        "username": grant.username,
    }
    return JSONResponse({"code": 0, "msg": "success", "data": data})


routes = [Route("/", home), Route("/v3/chat", chat), Route("/v3/user-info", user_info)]
