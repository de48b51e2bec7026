"""Every address of Django's, asked for as nobody, as its owner, as another member and as staff.

A new address fails here until its row says what each of them may see. Each is also asked for in sessions that still owe
their second factor, and those of the admin by staff without permissions. The API's are in `test_api_table.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib import admin
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve
from django.utils import timezone
from django.views import View
from pytest_django import Settings

from accounts import audit
from accounts.invitations import invitation_make
from accounts.keys import CHECK_NAME, key_issue
from accounts.models import Member, SecondFactor
from accounts.services import member_add
from gateway import catalogue
from gateway.asgi import application
from gateway.dashboard import offers
from gateway.live.routes import websockets
from gateway.models import UpstreamSession, UsageRecord, UsageStatus
from tests.conftest import CONDITION_SECONDS
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.pictures import screenshot_keep, screenshot_path

IN = "sign in"
"""Sent to the page on which one signs in."""

Outcomes = tuple[int | str, int | str, int | str, int | str]
"""What nobody, Alice, Bob and staff get: a status, or `IN`."""

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
    methods: dict[str, Outcomes]
    ids: dict[str, str] = field(default_factory=dict)
    """Which of Alice's things each part of the route is."""

    def path(self, route: str, things: dict[str, str]) -> str:
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: things[self.ids[part[1]]], route)


def row(
    get: Outcomes,
    post: Outcomes = GET_ONLY,
    patch: Outcomes | None = None,
    delete: Outcomes | None = None,
    **ids: str,
) -> Row:
    methods = {"get": get, "post": post, "patch": patch, "delete": delete}
    return Row({method: outcomes for method, outcomes in methods.items() if outcomes}, ids)


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
    "dashboard/models/refresh/": row(POST_ONLY, (IN, 302, 302, 302)),
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
    "api/me/": row(API_MEMBERS, API_GET_ONLY, patch=API_MEMBERS),
    "api/keys/": row(API_MEMBERS, (401, 201, 201, 201)),
    "api/keys/<int:id>/": row(API_ALICES, API_GET_ONLY, patch=API_ALICES, delete=(401, 204, 404, 404), id="key"),
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

OTHER_METHODS = ("put", "patch", "delete")

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
    "now/<slug:name>/": 200,
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
ONLY_SHOWN = {"loginattempt", "invitation", "auditentry", "usagerecord", "upstreamsession"}
CANNOT_BE_DELETED = ONLY_SHOWN | {"apikey"}
ADMIN_POSTS: dict[str, int] = {
    "now/<slug:name>/": 405,
    "autocomplete/": 405,
    "jsi18n/": 405,
    "password_change/done/": 405,
    "accounts/auditentry/<path:object_id>/history/": 403,
}
"""What staff get where they post nothing to a page, if it differs from what they get of the page."""

OPEN_TO_ALL_STAFF = {"", "search/", "jsi18n/", "password_change/", "password_change/done/"}
"""The admin's pages for which no permission is asked."""


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

    def outcomes(self, method: str, path: str) -> Outcomes:
        """What each gets; Alice last, since she may change what is hers."""
        got: dict[int, int | str] = {}
        for who in (0, 2, 3, 1):
            answer = ask(self.clients[who], method, path)
            # Nothing that was shown to who is signed in comes back by a browser's “Back”.
            assert who == 0 or "no-store" in answer["cache-control"]
            got[who] = outcome(answer)
        return got[0], got[1], got[2], got[3]


def ask(client: Client, method: str, path: str) -> Any:
    kind = {"content_type": "application/json"} if method != "get" and path.startswith("/api/") else {}
    return getattr(client, method)(path, **kind)


def outcome(answer: Any) -> int | str:
    to_sign_in = answer.status_code == 302 and re.match(r"/(dashboard/sign-in|admin/login)/", answer["location"])
    return IN if to_sign_in else int(answer.status_code)


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    cache.clear()
    # The school is not there to be asked.
    monkeypatch.setattr(offers, "member_line", Mock())
    monkeypatch.setattr(catalogue, "refresh", AsyncMock())
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
    path = PAGES[route].path(route, world.things)
    for method, expected in PAGES[route].methods.items():
        assert world.outcomes(method, path) == expected


@pytest.mark.parametrize("route", [route for route in PAGES if route.startswith("api/") and "path:" not in route])
def test_a_row_has_each_method_of_its_address(route: str, world: World) -> None:
    view = getattr(resolve(PAGES[route].path(route, world.things)).func, "view_class", View)
    assert set(PAGES[route].methods) == {"get", "post"} | {name for name in OTHER_METHODS if hasattr(view, name)}


LET_IN = {
    *("dashboard/language/", "dashboard/sign-in/", "dashboard/sign-out/", "dashboard/second-factor/"),
    *("dashboard/password-reset/", "dashboard/password-reset/sent/", "dashboard/password-reset/done/"),
    *("dashboard/password-reset/<uidb64>/<token>/", "dashboard/invitation/", "dashboard/invitation/<str:secret>/"),
    *("dashboard/first-admin/", "dashboard/first-admin/<str:secret>/", "api/", "api/<path:path>"),
}
"""What a session sees that owes its second factor: how one signs in, and that there is nothing at an address."""


def owes(world: World, who: str, settings: Settings) -> Client:
    """Alice, who has a second factor and has not given it; or staff, who are asked to have one and have none."""
    if who == "staff":
        settings.STAFF_SECOND_FACTOR = True
        return world.clients[3]
    SecondFactor.objects.create(user=Member.objects.get(username="alice"), name="app", confirmed=True)
    return world.clients[1]


def is_held_up(answer: Any) -> bool:
    """Whether nothing but the way to the second factor was told."""
    if answer.status_code == 403:
        return bool(answer.json()["error"]["code"] == "second_factor_required")
    return answer.status_code == 302 and str(answer["location"]).startswith("/dashboard/second-factor/")


@pytest.mark.parametrize("who", ["alice", "staff"])
def test_a_session_that_owes_its_second_factor_gets_nowhere(world: World, who: str, settings: Settings) -> None:
    client = owes(world, who, settings)
    asked = [
        (route, PAGES[route].path(route, world.things), method) for route in PAGES for method in PAGES[route].methods
    ]
    asked += [(route, admin_path(route, world.things), method) for route in ADMIN for method in ("get", "post")]
    through = {
        route for route, path, method in asked if route not in LET_IN and not is_held_up(ask(client, method, path))
    }
    # Staff without one set it up; who has one gives it first.
    assert through == ({"dashboard/second-factor/set-up/"} if who == "staff" else set())


def admin_path(route: str, things: dict[str, str]) -> str:
    model = route.split("/")[2] if route.count("/") > 2 else ""
    fixed = {"content_type_id": "1", "name": "work", "form": "csv"}
    plain = route.replace(APP_PAGE, "accounts/").replace("(?P<url>.*)$", "wrong")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: fixed.get(part[1]) or things.get(model, "1"), plain)


def expected_of_staff(route: str) -> tuple[int, int]:
    """Of the page, and where they post nothing to it. A `KeyError` is an address that is not in the table."""
    inner = route.removeprefix("admin/")
    if inner in ADMIN_FOR_STAFF:
        return ADMIN_FOR_STAFF[inner], ADMIN_POSTS.get(inner, ADMIN_FOR_STAFF[inner])
    _app, model, rest = inner.split("/", 2)
    refused = {"add/": ONLY_SHOWN, "<path:object_id>/delete/": CANNOT_BE_DELETED}
    page = 403 if model in refused.get(rest, set()) else ADMIN_ROWS[rest]
    # There is no action of this name.
    is_refused = "/act/" in rest or (rest == "<path:object_id>/change/" and model in ONLY_SHOWN)
    return page, 403 if is_refused else page


@pytest.mark.parametrize("route", ADMIN)
def test_a_page_of_the_admin_is_for_staff_alone(route: str, world: World) -> None:
    path = admin_path(route, world.things)
    if route in ("admin/login/", "admin/logout/"):
        assert all(outcome(client.get(path)) in (302, 405, IN) for client in world.clients)
        return
    *others, staff = world.clients
    assert [outcome(client.get(path)) for client in others] == [IN, IN, IN]
    assert [outcome(client.post(path)) for client in others] == [IN, IN, IN]
    assert (outcome(staff.get(path)), outcome(staff.post(path))) == expected_of_staff(route)


def test_staff_without_permissions_see_no_rows(world: World) -> None:
    clerk = signed_in(Member.objects.create_user("clerk", is_staff=True))
    routes = [route for route in ADMIN if route not in ("admin/login/", "admin/logout/")]
    answers = {
        route: {outcome(ask(clerk, method, admin_path(route, world.things))) for method in ("get", "post")}
        for route in routes
    }
    assert {route.removeprefix("admin/") for route in routes if 200 in answers[route]} == OPEN_TO_ALL_STAFF


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["alice", "staff"])
async def test_no_websocket_opens_to_a_session_that_owes_its_second_factor(
    who: str, transactional_db: None, world: World, settings: Settings
) -> None:
    client = await sync_to_async(owes)(world, who, settings)
    for route, (thing, _) in SOCKETS.items():
        path = f"/{re.sub('<.*>', world.things[thing], route)}"
        assert not await opens(path, client.cookies["sessionid"].value)
