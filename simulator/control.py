"""Control of the simulator over HTTP, under `/_sim/` and from this machine only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from simulator.catalog import MODELS
from simulator.context import school_of
from simulator.faults import Fault
from simulator.portal import COOKIE
from simulator.settings import Check
from simulator.state import School, SessionFields, User

Parsed = TypeVar("Parsed")


class _NewUser(msgspec.Struct, forbid_unknown_fields=True):
    username: str
    password: str
    check: Check | None = None


class _UserChange(msgspec.Struct, forbid_unknown_fields=True):
    password: str | None = None
    check: Check | msgspec.UnsetType | None = msgspec.UNSET
    unlock: bool = False


class _Revocation(msgspec.Struct, forbid_unknown_fields=True):
    tokens: bool = False
    sign_on: bool = False


class _HandMade(msgspec.Struct, forbid_unknown_fields=True):
    count: int = 1
    name: str = "made by hand"


def _user(request: Request) -> User:
    user = school_of(request).users.get(request.path_params["username"])
    if user is None:
        raise HTTPException(404, "unknown user")
    return user


async def _body(request: Request, kind: type[Parsed]) -> Parsed:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise HTTPException(400, str(error)) from error


def _done(**data: Any) -> Response:
    return JSONResponse({"ok": True, **data})


async def get_settings(request: Request) -> Response:
    """Show the settings."""
    return JSONResponse(msgspec.to_builtins(school_of(request).settings))


async def change_settings(request: Request) -> Response:
    """Change the settings that are named; 400 for an unknown name or a wrong value."""
    school = school_of(request)
    try:
        school.settings = school.settings.changed(await _body(request, dict[str, Any]))
    except msgspec.ValidationError as error:
        raise HTTPException(400, str(error)) from error
    school.changed.fire()
    return await get_settings(request)


async def add_user(request: Request) -> Response:
    """Add a user."""
    new = await _body(request, _NewUser)
    school_of(request).users[new.username] = User(new.username, new.password, new.check)
    return _done()


async def change_user(request: Request) -> Response:
    """Change a user's password or check (null: everybody's), or unlock the account."""
    change = await _body(request, _UserChange)
    user = _user(request)
    user.password = change.password or user.password
    if change.check is not msgspec.UNSET:
        user.check = change.check
    if change.unlock:
        user.locked, user.wrong_passwords = False, 0
    return _done()


async def revoke(request: Request) -> Response:
    """End a user's tokens, or what the sign-on remembers of their browsers."""
    revocation = await _body(request, _Revocation)
    school, user = school_of(request), _user(request)
    if revocation.tokens:
        school.revoke_grants(user.username)
    if revocation.sign_on:
        school.forget(user.username)
    return _done()


async def give_token(request: Request) -> Response:
    """Give a token without a browser: `{"jm_token", "sdp_app_session", "cookies", "api_url"}`."""
    school = school_of(request)
    grant = school.grant(_user(request).username)
    wire = school.settings.wire
    return JSONResponse(
        {
            "jm_token": grant.jm_token,
            "sdp_app_session": grant.sdp_app_session if wire == "2025" else "",
            "cookies": {} if wire == "2025" else {COOKIE: grant.portal_session},
            "api_url": school.addresses.api(wire),
        }
    )


async def make_sessions(request: Request) -> Response:
    """Make sessions, up to the cap, as a person does in the web page; answers their `ids`."""
    wanted = await _body(request, _HandMade)
    school, user = school_of(request), _user(request)
    fields = SessionFields(
        name=wanted.name,
        model=MODELS[0].value,
        temperature=0.5,
        max_token=0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
    )
    room = school.settings.max_sessions - len(user.sessions)
    made = [school.create_session(user, msgspec.structs.replace(fields)) for _ in range(min(wanted.count, room))]
    return _done(ids=[session.id for session in made])


async def add_fault(request: Request) -> Response:
    """Order a fault."""
    school_of(request).faults.add(await _body(request, Fault))
    return _done()


async def clear_faults(request: Request) -> Response:
    """Take all ordered faults back."""
    school_of(request).faults.waiting.clear()
    return _done()


async def release(request: Request) -> Response:
    """Let the streams that hold go on."""
    school_of(request).released.fire()
    return _done()


async def reset(request: Request) -> Response:
    """Return to the state at the start."""
    school_of(request).reset()
    return _done()


def _user_state(school: School, user: User) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(user, enc_hook=list)
    for hidden in ("username", "password", "allowed_at", "wrong_passwords"):
        del shown[hidden]
    shown["sessions"] = [session.public() for session in user.sessions.values()]
    shown["tokens"] = school.live_tokens(user.username)
    return shown


async def state(request: Request) -> Response:
    """Show everything that happened; see the package's docstring for the fields of a user."""
    school = school_of(request)
    return JSONResponse(
        {
            "users": {name: _user_state(school, user) for name, user in school.users.items()},
            "settings": msgspec.to_builtins(school.settings),
            "faults": msgspec.to_builtins(school.faults.waiting),
            "held": school.held,
        }
    )


def _condition(request: Request) -> Callable[[School], bool]:
    query = request.query_params
    count = int(query.get("count", "1"))
    if "held" in query:
        return lambda school: school.held >= int(query["held"])
    wanted = {name: query[name] for name in ("call", "status") if name in query}

    def met(school: School) -> bool:
        user = school.users.get(query.get("user", ""))
        if user is None:
            return False
        if "ended" in query:
            return [noted["ended"] for noted in user.completions].count(query["ended"]) >= count
        matches = (all(getattr(call, name) == value for name, value in wanted.items()) for call in user.calls)
        return sum(matches) >= count

    return met


async def wait(request: Request) -> Response:
    """Answer once so many calls were made, completions ended or streams held; 408 after `timeout` seconds."""
    school = school_of(request)
    met = _condition(request)

    async def until_met() -> None:
        while not met(school):
            await school.changed.wait()

    try:
        await asyncio.wait_for(until_met(), float(request.query_params.get("timeout", "10")))
    except TimeoutError:
        return JSONResponse({"ok": False}, 408)
    return _done()


class LoopbackOnly:
    """Refuses clients of other machines."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        client = scope.get("client")
        if client is not None and ipaddress.ip_address(client[0]).is_loopback:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"ok": False}, 403)(scope, receive, send)


control = LoopbackOnly(
    Router(
        [
            Route("/settings", get_settings),
            Route("/settings", change_settings, methods=["POST"]),
            Route("/users", add_user, methods=["POST"]),
            Route("/users/{username}", change_user, methods=["POST"]),
            Route("/users/{username}/revoke", revoke, methods=["POST"]),
            Route("/users/{username}/token", give_token, methods=["POST"]),
            Route("/users/{username}/sessions", make_sessions, methods=["POST"]),
            Route("/faults", add_fault, methods=["POST"]),
            Route("/faults", clear_faults, methods=["DELETE"]),
            Route("/release", release, methods=["POST"]),
            Route("/reset", reset, methods=["POST"]),
            Route("/state", state),
            Route("/wait", wait),
        ]
    )
)
