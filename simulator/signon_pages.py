"""The sign-on's pages on `localhost`: 2025 a form, 2026 a script that posts an encrypted password."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator import signon
from simulator.context import school_of
from simulator.pages import page
from simulator.signon import Attempt, Passed, Refused
from simulator.state import School

PAGE_2026 = "/esc-sso/login/page"
DO_LOGIN = "/esc-sso/api/v3/auth/doLogin"
PUBLIC_KEY = "/esc-sso/api/v3/auth/publicKey"
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
_private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _DataField(msgspec.Struct):
    username: str
    password: str
    vcode: str = ""
    slide: float | None = None


class _DoLogin(msgspec.Struct, rename="camel"):
    auth_type: str
    data_field: _DataField
    redirect_uri: str


class _Factor(msgspec.Struct):
    code: str


def public_key() -> str:
    """Return the key that encrypts passwords (RSA-OAEP, SHA-256): base64 of SubjectPublicKeyInfo."""
    der = _private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def _decrypted(password: str) -> str | None:
    try:
        return _private_key.decrypt(base64.b64decode(password, validate=True), OAEP).decode()
    except (binascii.Error, ValueError):
        return None


def _is_headless(request: Request) -> bool:
    return "Headless" in request.headers.get("user-agent", "")


def _keep(response: Response, passed: Passed) -> Response:
    """Set the cookies that the browser takes along."""
    cookies: dict[str, str] = {}
    if passed.session is not None:
        cookies = {"TGC": passed.session.tgc, "UIM_SESSION": passed.session.uim_session}
    if passed.pending is not None:
        cookies = {"MFA_PENDING": passed.pending}
    for name, value in cookies.items():
        response.set_cookie(name, value, httponly=True, samesite="lax")
    return response


def _form(school: School, request: Request, name: str, **data: Any) -> Response:
    blank = school.settings.check == "blank"
    if blank and _is_headless(request):
        return HTMLResponse("<!doctype html><title></title>")
    delay = school.settings.element_delay_ms
    return page(name, delay=delay, blank=blank, **data)


async def _entrance(request: Request) -> Response | None:
    """Return the answer for a browser that needs no form: an unknown service, or a remembered sign-on."""
    school = school_of(request)
    await school.sign_on_answers()
    service = request.query_params.get("service", "")
    if not signon.service_is_known(school, service):
        return HTMLResponse("<!doctype html><h1>Application not authorised to use sign-on</h1>", 403)
    session = school.remembered(request.cookies.get("TGC"), request.cookies.get("UIM_SESSION"))
    if session is not None:
        return RedirectResponse(signon.with_ticket(school, session.username, service), 302)
    return None


async def sso(request: Request) -> Response:
    """Lead to the sign-on of the generation that is set, as the school's `sso` host does."""
    path = "/login" if school_of(request).settings.sign_on == "2025" else PAGE_2026
    return RedirectResponse(f"{path}?{urlencode({'service': request.query_params.get('service', '')})}", 302)


async def login_2025(request: Request) -> Response:
    """Show the form of 2025."""
    return await _entrance(request) or _form(school_of(request), request, "login_2025", message="")


async def post_login_2025(request: Request) -> Response:
    """Judge the form of 2025; when refused the page renders again with the reason."""
    school = school_of(request)
    service = request.query_params.get("service", "")
    if not signon.service_is_known(school, service):
        return HTMLResponse("<!doctype html><h1>Application not authorised to use sign-on</h1>", 403)
    form = await request.form()
    tried = Attempt(str(form.get("username", "")), str(form.get("password", "")), service)
    outcome = signon.attempt(school, tried)
    if isinstance(outcome, Refused):
        return _form(school, request, "login_2025", message=signon.message(school, outcome.reason))
    return _keep(RedirectResponse(outcome.redirect, 302), outcome)


async def login_2026(request: Request) -> Response:
    """Show the page of 2026, which builds everything by script."""
    return await _entrance(request) or _form(
        school_of(request), request, "login_2026", doLogin=DO_LOGIN, publicKeyUrl=PUBLIC_KEY
    )


async def get_public_key(request: Request) -> Response:
    """Hand out the key for passwords."""
    return JSONResponse({"code": "0", "msg": "success", "data": {"publicKey": public_key()}})


def _told(school: School, outcome: Passed | Refused) -> Response:
    if isinstance(outcome, Refused):
        body = {"code": signon.CODES[outcome.reason], "msg": signon.message(school, outcome.reason)}
        return JSONResponse({**body, "data": outcome.data})
    answer = JSONResponse({"code": "0", "msg": "success", "data": {"redirect": outcome.redirect}})
    return _keep(answer, outcome)


def _bad_request() -> Response:
    return JSONResponse({"code": "SSO10000", "msg": "Bad request.", "data": {}}, 400)


async def do_login(request: Request) -> Response:
    """Judge what the page of 2026 posts (`_DoLogin`); answers `{"code", "msg", "data": {"redirect"}}`."""
    school = school_of(request)
    try:
        posted = msgspec.json.decode(await request.body(), type=_DoLogin)
    except msgspec.DecodeError:
        return _bad_request()
    password = _decrypted(posted.data_field.password)
    if password is None or not signon.service_is_known(school, posted.redirect_uri):
        return _bad_request()
    field = posted.data_field
    tried = Attempt(field.username, password, posted.redirect_uri, field.vcode, field.slide)
    return _told(school, signon.attempt(school, tried))


async def mfa_page(request: Request) -> Response:
    """Show the page that asks for the second factor's code."""
    return _form(school_of(request), request, "mfa", url=request.url.path)


async def post_mfa(request: Request) -> Response:
    """Judge the second factor's code: `{"code"}`."""
    school = school_of(request)
    try:
        given = msgspec.json.decode(await request.body(), type=_Factor)
    except msgspec.DecodeError:
        return _bad_request()
    outcome = signon.second_factor(school, request.cookies.get("MFA_PENDING"), given.code)
    return _bad_request() if outcome is None else _told(school, outcome)


routes = [
    Route("/sso", sso),
    Route("/login", login_2025),
    Route("/login", post_login_2025, methods=["POST"]),
    Route(PAGE_2026, login_2026),
    Route(PUBLIC_KEY, get_public_key),
    Route(DO_LOGIN, do_login, methods=["POST"]),
    *(Route(path, mfa_page) for path in signon.MFA_PATHS.values()),
    *(Route(path, post_mfa, methods=["POST"]) for path in signon.MFA_PATHS.values()),
]
