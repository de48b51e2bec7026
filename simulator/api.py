"""The school's API: who may call, how often, and what each call does.

Order of judgement: the token, the frequency of the user's calls, an ordered fault, the call itself.
A call refused as too fast is recorded but does not move the clock of the limit.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator import refusals
from simulator.answers import Answer, CompletionRequest, compose, failing
from simulator.catalog import BY_VALUE, MODELS
from simulator.connections import Disconnect, Hang
from simulator.context import school_of
from simulator.faults import CallName, Fault
from simulator.portal import COOKIE
from simulator.refusals import Refusal, answer
from simulator.settings import Generation
from simulator.state import Call, Grant, School, Session, SessionFields, User
from simulator.stream import CompletionStream

ALL_FIELDS = {field.encode_name for field in msgspec.structs.fields(SessionFields)}
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Caller:
    """One admitted call: who makes it, and the fault that awaits it."""

    school: School
    user: User
    call: Call
    request: Request
    fault: Fault | None

    def answer(self, data: Any = None) -> Response:
        """Return the school's JSON for a success."""
        return answer(self.school.settings, 0, "success", data)

    async def body(self, kind: type[Parsed]) -> Parsed:
        """Return the call's JSON as `kind`; refuse anything else."""
        try:
            return msgspec.json.decode(await self.request.body(), type=kind)
        except msgspec.DecodeError as error:
            raise refusals.bad_request(str(error)) from error

    def session(self, session_id: int) -> Session:
        """Return the user's own session; refuse an unknown one."""
        self.call.session_id = session_id
        session = self.user.sessions.get(session_id)
        if session is None:
            raise refusals.unknown_session()
        return session


Work = Callable[[Caller], Awaitable[Response]]


# Who may call


def _grant(school: School, request: Request, wire: Generation) -> Grant | None:
    """Return the grant of the call's token, when all that must come with it is there."""
    grant = school.grants.get(request.headers.get("jm-token", ""))
    if grant is None:
        return None
    if wire == "2025":
        complete = request.headers.get("sdp-app-session") == grant.sdp_app_session
    else:
        portal = school.portal_grant(request.cookies.get(COOKIE))
        complete = portal is not None and portal.username == grant.username
    return grant if complete else None


def _admit(school: School, request: Request, wire: Generation, call: Call) -> User:
    """Return the user of a living token whose last call is long enough ago; refuse all others."""
    settings = school.settings
    owner = school.grants.get(request.headers.get("jm-token", ""))
    user = school.users.get(owner.username) if owner is not None else None
    if user is not None:
        user.note_call(call)
    grant = _grant(school, request, wire)
    if user is None or grant is None or not school.is_alive(grant, call.at):
        raise refusals.token_dead(settings, settings.token_dead_shape)
    grant.used_at = call.at
    if not user.may_call(call.at, settings.interval - settings.tolerance):
        raise refusals.too_fast(settings, settings.too_fast_shape)
    return user


def _endpoint(name: CallName, wire: Generation, work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        school = school_of(request)
        if school.settings.wire != wire:
            return JSONResponse({"detail": "Not Found"}, 404)
        call = Call(request.state.arrived_at, name)
        try:
            user = _admit(school, request, wire, call)
            fault = school.faults.take(name, user.username)
            return await _struck(Caller(school, user, call, request, fault), work)
        except Refusal as refusal:
            call.status = refusal.name
            return refusals.response(school.settings, name, refusal)
        finally:
            school.changed.fire()

    return endpoint


# Faults


async def _struck(caller: Caller, work: Work) -> Response:
    """Do the work, unless the fault prevents it."""
    fault = caller.fault
    if fault is None:
        return await work(caller)
    caller.call.status = fault.name
    match fault.name:
        case "malformed":
            return Response('{"code":0,"data":', media_type="application/json")
        case "hang":
            return Hang()
        case "disconnect":
            # A close before the whole request is read would reset the connection instead.
            await caller.request.body()
            return Disconnect()
        case "disconnect_after_work":
            await work(caller)
            return Disconnect()
        case "plain_json" | "mid_stream_error":
            return await work(caller)
        case _:
            raise _refusal(caller, fault)


def _refusal(caller: Caller, fault: Fault) -> Refusal:
    settings = caller.school.settings
    shape = fault.shape or "code"
    match fault.name:
        case "too_fast":
            caller.user.too_fast += 1
            return refusals.too_fast(settings, shape)
        case "token_dead":
            return refusals.token_dead(settings, shape, fault.status)
        case "cap":
            return refusals.cap(settings, shape)
        case "outage":
            return refusals.outage(fault.status or 503)
        case _:
            return Refusal(fault.name, 500, "Internal Server Error", shape="http", status=500)


# The calls


async def config(caller: Caller) -> Response:
    """List the models."""
    return caller.answer({"models": [model.public() for model in MODELS]})


async def list_sessions(caller: Caller) -> Response:
    """List the user's sessions, newest first."""
    sessions = sorted(caller.user.sessions.values(), key=lambda session: session.id, reverse=True)
    return caller.answer([session.public() for session in sessions])


async def save_session(caller: Caller) -> Response:
    """Create a session, or update the one that `id` names, for which every field must be sent back."""
    raw = await caller.body(dict[str, Any])
    try:
        fields = msgspec.convert(raw, SessionFields)
    except msgspec.ValidationError as error:
        raise refusals.bad_request(str(error)) from error
    if fields.model not in BY_VALUE:
        raise refusals.unknown_model()
    session = _updated(caller, raw, fields) if "id" in raw else _created(caller, fields)
    return caller.answer(session.public())


def _created(caller: Caller, fields: SessionFields) -> Session:
    settings = caller.school.settings
    if len(caller.user.sessions) >= settings.max_sessions:
        raise refusals.cap(settings, "code")
    session = caller.school.create_session(caller.user, fields)
    caller.call.session_id = session.id
    return session


def _updated(caller: Caller, raw: dict[str, Any], fields: SessionFields) -> Session:
    missing = sorted(ALL_FIELDS - raw.keys())
    if missing or not isinstance(raw["id"], int):
        raise refusals.bad_request(f"missing {', '.join(missing)}" if missing else "id")
    session = caller.session(raw["id"])
    session.fields = fields
    session.updated = time.time()
    return session


class _Ids(msgspec.Struct):
    ids: list[int]


async def delete_sessions(caller: Caller) -> Response:
    """Delete the sessions that `ids` names, or none while one of them is busy. Unknown ids are ignored."""
    ids = (await caller.body(_Ids)).ids
    own = [caller.user.sessions[session_id] for session_id in ids if session_id in caller.user.sessions]
    caller.call.session_id = ids[0] if len(ids) == 1 else None
    grace = caller.school.settings.delete_grace_seconds
    if any(session.is_busy(caller.call.at, grace) for session in own):
        raise refusals.session_busy()
    for session in own:
        caller.user.sessions.pop(session.id, None)
    return caller.answer()


async def upload(caller: Caller) -> Response:
    """Take an image: multipart with `accept=image`, `file` and `lang`."""
    form = await caller.request.form()
    file = form.get("file")
    if form.get("accept") != "image" or "lang" not in form or not isinstance(file, UploadFile):
        raise refusals.bad_request("accept, file and lang are needed")
    if not (file.content_type or "").startswith("image/"):
        raise refusals.bad_request("not an image")
    content = await file.read()
    addresses = caller.school.addresses
    url = f"{addresses.portal}/uploads/{caller.user.username}/{len(caller.user.uploads) + 1}/{file.filename}"
    noted = {"filename": file.filename, "content_type": file.content_type, "size": len(content), "url": url}
    caller.user.uploads.append(noted)
    return caller.answer({caller.school.settings.upload_key: url})


async def completions(caller: Caller) -> Response:
    """Answer a prompt with a stream, or rarely with plain JSON."""
    request = await caller.body(CompletionRequest)
    session = caller.session(request.session_id)
    if not request.text.strip():
        raise refusals.bad_request("text")
    composed = _composed(caller, request, session)
    noted = _noted(caller, request, session)
    session.open_streams += 1

    def ended(outcome: str) -> None:
        noted["ended"] = outcome
        session.open_streams -= 1
        session.stream_ended_at = time.time()
        session.turns.append((request.text, composed.text))
        caller.school.changed.fire()

    if composed.directive.plain or _fault_name(caller) == "plain_json":
        ended("complete")
        return _plain(composed)
    if _fault_name(caller) == "disconnect_after_work":
        ended("disconnect")
    return CompletionStream(caller.school, composed, ended)


def _fault_name(caller: Caller) -> str | None:
    return caller.fault.name if caller.fault is not None else None


def _composed(caller: Caller, request: CompletionRequest, session: Session) -> Answer:
    try:
        composed = compose(request, session, caller.school.settings)
    except ValueError as error:
        raise refusals.bad_request(f"directive: {error}") from error
    if caller.fault is not None and caller.fault.name == "mid_stream_error":
        return failing(composed, caller.fault.after, caller.fault.code)
    return composed


def _noted(caller: Caller, request: CompletionRequest, session: Session) -> dict[str, Any]:
    """Keep what was received, with the session's fields at that moment."""
    received = msgspec.to_builtins(request)
    noted = {**msgspec.to_builtins(session.fields), **received, "at": caller.call.at, "ended": None}
    caller.user.completions.append(noted)
    return noted


def _plain(composed: Answer) -> Response:
    return JSONResponse({"code": 0, "type": "object", "data": {"aiText": composed.text}})


def routes(wire: Generation) -> list[Route]:
    """Return the API's routes, which answer only while the school speaks `wire`."""
    calls: list[tuple[str, str, CallName, Work]] = [
        ("GET", "/chat/config", "config", config),
        ("GET", "/chat/session", "session", list_sessions),
        ("POST", "/chat/saveSession", "saveSession", save_session),
        ("POST", "/chat/delSession", "delSession", delete_sessions),
        ("POST", "/common/upload", "upload", upload),
        ("POST", "/chat/completions", "completions", completions),
    ]
    return [Route(path, _endpoint(name, wire, work), methods=[method]) for method, path, name, work in calls]
