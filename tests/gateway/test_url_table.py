"""Every address of the project, asked for as nobody, as its owner, as another member and as staff.

A new address fails here until its row says what each of them may see.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from channels.testing import WebsocketCommunicator
from django.contrib import admin
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from accounts import audit
from accounts.invitations import invitation_make
from accounts.keys import CHECK_NAME, key_issue
from accounts.models import Member
from accounts.services import member_add
from gateway.asgi import application
from gateway.live.routes import websockets
from gateway.models import UpstreamSession, UsageRecord, UsageStatus
from tests.conftest import CONDITION_SECONDS
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.pictures import screenshot_keep, screenshot_path

IN = "sign in"
"""Sent to the page on which one signs in."""

Outcomes = tuple[int | str | None, int | str | None, int | str | None, int | str | None]
"""What nobody, Alice, Bob and staff get: a status, or `IN`; None where it is not asked, since it calls the school."""

MEMBERS: Outcomes = (IN, 200, 200, 200)
ALICES: Outcomes = (IN, 200, 404, 404)
AWAY: Outcomes = (IN, 302, 302, 302)
GET_ONLY: Outcomes = (IN, 405, 405, 405)
POST_ONLY = GET_ONLY
OPEN: Outcomes = (200, 200, 200, 200)
GONE: Outcomes = (404, 404, 404, 404)

API_MEMBERS: Outcomes = (401, 200, 200, 200)
API_ALICES: Outcomes = (401, 200, 404, 404)
API_STAFF: Outcomes = (401, 403, 403, 200)
API_GET_ONLY: Outcomes = (401, 405, 405, 405)
API_STAFF_GET_ONLY: Outcomes = (401, 403, 403, 405)


@dataclass(frozen=True)
class Row:
    get: Outcomes
    post: Outcomes
    ids: dict[str, str] = field(default_factory=dict)
    """Which of Alice's things each part of the route is."""


def row(get: Outcomes, post: Outcomes = GET_ONLY, **ids: str) -> Row:
    return Row(get, post, ids)


PAGES = {
    "": row((302, 302, 302, 302), (302, 302, 302, 302)),
    "favicon.ico": row((302, 302, 302, 302), (302, 302, 302, 302)),
    # Dashboard
    "dashboard/": row(MEMBERS),
    "dashboard/health/": row(MEMBERS),
    "dashboard/language/": row((302, 302, 302, 302), (302, 302, 302, 302)),
    "dashboard/account/": row(MEMBERS),
    "dashboard/account/log-in/": row(POST_ONLY, (IN, 302, 302, 404)),
    "dashboard/account/password/": row(POST_ONLY, (IN, 302, 302, 404)),
    "dashboard/account/token/": row(POST_ONLY, (IN, 200, 200, 404)),
    "dashboard/account/live/": row(POST_ONLY, (IN, 302, 302, 404)),
    "dashboard/account/live/<uuid:attempt_id>/": row(ALICES, attempt_id="live_login"),
    "dashboard/account/logins/<uuid:attempt_id>/picture/": row(ALICES, attempt_id="login"),
    "dashboard/handover/": row(MEMBERS, MEMBERS),
    "dashboard/handover/trial/": row((IN, 200, 200, 404)),
    "dashboard/keys/": row(MEMBERS),
    "dashboard/keys/new/": row(MEMBERS, MEMBERS),
    "dashboard/keys/<int:pk>/": row(ALICES, pk="key"),
    "dashboard/keys/<int:pk>/edit/": row(ALICES, ALICES, pk="key"),
    "dashboard/keys/<int:pk>/rotate/": row(ALICES, ALICES, pk="key"),
    "dashboard/keys/<int:pk>/revoke/": row(ALICES, (IN, 302, 404, 404), pk="key"),
    "dashboard/usage/": row(MEMBERS),
    "dashboard/usage/export.csv": row(MEMBERS),
    "dashboard/usage/export.jsonl": row(MEMBERS),
    "dashboard/usage/<str:request_id>/": row(ALICES, request_id="request"),
    "dashboard/models/": row(MEMBERS),
    "dashboard/models/ready/": row((IN, 204, 200, 200)),
    "dashboard/models/refresh/": row(POST_ONLY, (IN, None, None, 302)),
    "dashboard/connect/": row(MEMBERS),
    "dashboard/connect/check/": row(POST_ONLY, MEMBERS),
    "dashboard/connect/check/<int:pk>/end/": row(POST_ONLY, (IN, 204, 404, 404), pk="check"),
    "dashboard/playground/": row(MEMBERS),
    "dashboard/settings/": row(MEMBERS, MEMBERS),
    "dashboard/welcome/": row((IN, 200, 200, 302), AWAY),
    "dashboard/welcome/model/": row(MEMBERS),
    # Signing in
    "dashboard/sign-in/": row((200, 302, 302, 302), OPEN),
    "dashboard/sign-out/": row((405, 405, 405, 405), (IN, IN, IN, IN)),
    "dashboard/password-reset/": row(OPEN, OPEN),
    "dashboard/password-reset/sent/": row(OPEN, (405, 405, 405, 405)),
    "dashboard/password-reset/done/": row(OPEN, (405, 405, 405, 405)),
    "dashboard/password-reset/<uidb64>/<token>/": row(OPEN, OPEN, uidb64="wrong", token="wrong"),
    "dashboard/second-factor/": row(AWAY, AWAY),
    "dashboard/second-factor/set-up/": row(MEMBERS, MEMBERS),
    "dashboard/second-factor/recovery-codes/": row(AWAY, AWAY),
    "dashboard/second-factor/off/": row(AWAY, AWAY),
    "dashboard/invitation/": row(GONE, GONE),
    "dashboard/invitation/<str:secret>/": row((302, 302, 302, 302), (302, 302, 302, 302), secret="secret"),
    "dashboard/first-admin/": row(GONE, GONE),
    # An invitation that is not for the first admin does not make one.
    "dashboard/first-admin/<str:secret>/": row(GONE, GONE, secret="secret"),
    # Management API
    "api/": row(GONE, GONE),
    "api/<path:path>": row(GONE, GONE, path="wrong"),
    "api/me/": row(API_MEMBERS, API_GET_ONLY),
    "api/keys/": row(API_MEMBERS, (401, 201, 201, 201)),
    "api/keys/<int:id>/": row(API_ALICES, API_GET_ONLY, id="key"),
    "api/keys/<int:id>/rotate/": row(API_GET_ONLY, (401, 201, 404, 404), id="key"),
    "api/usage/": row(API_MEMBERS, API_GET_ONLY),
    "api/usage/rollups/": row(API_MEMBERS, API_GET_ONLY),
    "api/usage/<str:request_id>/": row(API_ALICES, API_GET_ONLY, request_id="request"),
    "api/accounts/": row(API_STAFF, API_STAFF_GET_ONLY),
    "api/accounts/<uuid:id>/": row(API_STAFF, API_STAFF_GET_ONLY, id="account"),
    "api/accounts/<uuid:id>/log-in/": row(API_STAFF_GET_ONLY, (401, 403, 403, 202), id="account"),
    "api/accounts/<uuid:id>/pause/": row(API_STAFF_GET_ONLY, API_STAFF, id="account"),
    "api/accounts/<uuid:id>/resume/": row(API_STAFF_GET_ONLY, API_STAFF, id="account"),
    "api/health/": row(API_STAFF, API_STAFF_GET_ONLY),
    "api/schema/": row(API_MEMBERS, API_GET_ONLY),
    "api/docs/": row(MEMBERS),
}

APP_PAGE = str(next(each.pattern for each in admin.site.urls[0] if "app_label" in str(each.pattern)))
"""The page of one app's rows; its pattern names the apps in the order in which they were registered."""

ADMIN_FOR_STAFF: dict[str, int] = {
    "": 200,
    "login/": 302,
    "logout/": 405,
    "search/": 200,
    "password_change/": 200,
    "password_change/done/": 200,
    "autocomplete/": 403,
    "jsi18n/": 200,
    # There is no card of this name.
    "now/<slug:name>/": 404,
    "r/<path:content_type_id>/<path:object_id>/": 404,
    APP_PAGE: 200,
    "(?P<url>.*)$": 404,
    "accounts/member/<id>/password/": 200,
    "accounts/account/import/": 200,
    # Only after a file was given.
    "accounts/account/import/check/": 302,
    "accounts/account/import/sample.csv": 200,
    "gateway/usagerecord/export/<slug:form>/": 200,
    "accounts/account/<path:object_id>/token/": 200,
    "tokens/loginattempt/<path:object_id>/screenshot/": 200,
    # The audit itself is in no audit.
    "accounts/auditentry/<path:object_id>/history/": 200,
}
"""What staff get of each page of the admin; those of rows go by `ADMIN_ROWS`."""

ADMIN_ROWS: dict[str, int] = {
    "": 200,
    "add/": 200,
    "<path:object_id>/change/": 200,
    "<path:object_id>/delete/": 200,
    # The audit tells it.
    "<path:object_id>/history/": 302,
    "<path:object_id>/": 302,
    "<path:object_id>/act/<slug:name>/": 405,
}
CANNOT_BE_ADDED = {"loginattempt", "invitation", "auditentry", "usagerecord", "upstreamsession"}
CANNOT_BE_DELETED = CANNOT_BE_ADDED | {"apikey"}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, here)
        else:
            yield here


ROUTES = list(routes(get_resolver().url_patterns))
ADMIN = sorted({route for route in ROUTES if route.startswith("admin/")})


@dataclass(frozen=True)
class World:
    """Who asks, and Alice's things by name."""

    clients: tuple[Client, Client, Client, Client]
    things: dict[str, str]

    def outcomes(self, method: str, path: str, expected: Outcomes) -> Outcomes:
        """What each gets who is asked at all."""
        kind = {"content_type": "application/json"} if method == "post" and path.startswith("/api/") else {}
        nobody, alice, bob, staff = (
            None if skipped is None else outcome(getattr(client, method)(path, **kind))
            for client, skipped in zip(self.clients, expected, strict=True)
        )
        return nobody, alice, bob, staff


def outcome(answer: Any) -> int | str:
    to_sign_in = answer.status_code == 302 and re.match(r"/(dashboard/sign-in|admin/login)/", answer["location"])
    return IN if to_sign_in else int(answer.status_code)


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def world(db: None) -> Iterator[World]:
    cache.clear()
    alice = member_add(name="alice", xjtlu_username="Alice.A24", xjtlu_password="the password")
    bob = member_add(name="bob", xjtlu_username="Bob.B24")
    boss = Member.objects.create_superuser("boss")
    key = key_issue(member=alice.member)[0]
    check = key_issue(member=alice.member, name=CHECK_NAME, expires_at=timezone.now() + timedelta(minutes=5))[0]
    record = UsageRecord.objects.create(
        member=alice.member, account=alice, api_key=key, request_id="req_1", endpoint="chat", status=UsageStatus.DONE
    )
    login = LoginAttempt.objects.create(
        account=alice, trigger=Trigger.PERSON, ended_at=timezone.now(), outcome=Outcome.FAILED
    )
    screenshot_keep(login, b"\x89PNG")
    live = LoginAttempt.objects.create(account=alice, trigger=Trigger.PERSON, live=True)
    invitation, secret = invitation_make(member=alice.member, created_by=boss)
    session = UpstreamSession.objects.create(account=alice, lease_until=timezone.now())
    entry = audit.note(actor=boss, action="Changed.", target=alice)
    things = {
        "member": alice.member_id,
        "account": alice.pk,
        "key": key.pk,
        "apikey": key.pk,
        "check": check.pk,
        "request": record.request_id,
        "usagerecord": record.pk,
        "login": login.pk,
        "loginattempt": login.pk,
        "live_login": live.pk,
        "invitation": invitation.pk,
        "secret": secret,
        "upstreamsession": session.pk,
        "auditentry": entry.pk,
        "wrong": "wrong",
    }
    clients = (Client(), signed_in(alice.member), signed_in(bob.member), signed_in(boss))
    yield World(clients, {name: str(thing) for name, thing in things.items()})
    screenshot_path(login).unlink()


def test_every_address_is_in_the_table() -> None:
    assert sorted({route for route in ROUTES if not route.startswith("admin/")}) == sorted(PAGES)


@pytest.mark.parametrize("route", PAGES)
def test_a_page_is_for_whom_the_table_says(route: str, world: World) -> None:
    expected = PAGES[route]
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: world.things[expected.ids[part[1]]], route)
    assert world.outcomes("get", path, expected.get) == expected.get
    assert world.outcomes("post", path, expected.post) == expected.post


def admin_path(route: str, things: dict[str, str]) -> str:
    model = route.split("/")[2] if route.count("/") > 2 else ""
    fixed = {"content_type_id": "1", "name": "none", "form": "csv"}
    plain = route.replace(APP_PAGE, "accounts/").replace("(?P<url>.*)$", "wrong")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: fixed.get(part[1]) or things.get(model, "1"), plain)


def expected_of_staff(route: str) -> int:
    """A `KeyError` is an address that is not in the table."""
    inner = route.removeprefix("admin/")
    if inner in ADMIN_FOR_STAFF:
        return ADMIN_FOR_STAFF[inner]
    _app, model, rest = inner.split("/", 2)
    refused = {"add/": CANNOT_BE_ADDED, "<path:object_id>/delete/": CANNOT_BE_DELETED}
    return 403 if model in refused.get(rest, set()) else ADMIN_ROWS[rest]


@pytest.mark.parametrize("route", ADMIN)
def test_a_page_of_the_admin_is_for_staff_alone(route: str, world: World) -> None:
    path = admin_path(route, world.things)
    if route in ("admin/login/", "admin/logout/"):
        assert all(outcome(client.get(path)) in (302, 405, IN) for client in world.clients)
        return
    *others, staff = world.clients
    assert [outcome(client.get(path)) for client in others] == [IN, IN, IN]
    assert [outcome(client.post(path)) for client in others] == [IN, IN, IN]
    assert outcome(staff.get(path)) == expected_of_staff(route)


SOCKETS = {
    "dashboard/ws/logins/<uuid:account_id>/": ("account", (False, True, False, True)),
    "dashboard/ws/live/<uuid:attempt_id>/": ("live_login", (False, True, False, False)),
    # A worker opens it, with a secret that no browser has.
    "dashboard/ws/browsers/<uuid:attempt_id>/": ("live_login", (False, False, False, False)),
    "": ("wrong", (False, False, False, False)),
}


def test_every_websocket_is_in_the_table() -> None:
    assert [str(route.pattern) for route in websockets.routes] == list(SOCKETS)


async def opens(path: str, cookie: str, *, origin: str = "http://localhost") -> bool:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode()), (b"cookie", f"sessionid={cookie}".encode())]
    socket = WebsocketCommunicator(application, path, headers=headers)
    connected, _ = await socket.connect(timeout=30)
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    ended, _ = await asyncio.wait({socket.future}, timeout=CONDITION_SECONDS)
    assert ended, "the consumer outlives its socket"
    return bool(connected)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", SOCKETS)
async def test_a_websocket_is_for_whom_the_table_says(route: str, transactional_db: None, world: World) -> None:
    thing, expected = SOCKETS[route]
    path = f"/{re.sub('<.*>', world.things[thing], route)}"
    cookies = [client.cookies["sessionid"].value if client.cookies else "" for client in world.clients]
    assert tuple([await opens(path, cookie) for cookie in cookies]) == expected
    assert not any([await opens(path, cookie, origin="https://evil.example") for cookie in cookies])


API = {
    ("GET", "/healthz"): 200,
    ("GET", "/v1/models"): 401,
    ("GET", "/v1/models/qwen"): 401,
    ("POST", "/v1/chat/completions"): 401,
    ("POST", "/v1/completions"): 401,
    ("POST", "/v1/responses"): 401,
    ("GET", "/v1/responses/resp_1"): 401,
    ("DELETE", "/v1/responses/resp_1"): 401,
    # A page's: without its CSRF token nobody is even looked for.
    ("POST", "/dashboard/playground/chat/completions"): 403,
    ("POST", "/v1/nothing"): 404,
    ("GET", "/messages"): 404,
}


@pytest.mark.parametrize(("method", "path"), API)
def test_the_api_answers_nobody(method: str, path: str, gateway: httpx.Client) -> None:
    answer = gateway.request(method, path, json={}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == API[method, path]
    assert ("error" in answer.json()) == (answer.status_code != 200)
