"""Who gets which WebSocket of a login, and what it says: on the real web process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from websockets import Origin
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from accounts import crypto
from accounts.models import Account, Member, SecondFactor
from gateway.live import access, sockets
from gateway.live.relay import ViewerConsumer
from gateway.live.sockets import MALFORMED, MOST_SOCKETS, SIGNED_OUT, PageSocket
from tests.conftest import database_url, until
from tests.processes import Process, running
from tests.school import School
from tokens.live import asking as live
from tokens.live.wire import DIAL_HEADER, Dialog, Said
from tokens.models import LoginAttempt, Outcome, Trigger

Dial = Callable[..., ClientConnection]
RECEIVE_SECONDS = 60


@pytest.fixture
def address(gateway_process: tuple[Process, str], transactional_db: None) -> str:
    return gateway_process[1].rstrip("/")


@pytest.fixture
def dial(address: str) -> Iterator[Dial]:
    """Open a socket as a member (or nobody), from our own page unless told otherwise."""
    with ExitStack() as closing:

        def opened(path: str, member: Member | None = None, origin: str | None = address, **headers: str) -> Any:
            if member is not None:
                client = Client()
                client.force_login(member)
                headers["cookie"] = f"sessionid={client.cookies['sessionid'].value}; {headers.get('cookie', '')}"
            url = f"ws{address.removeprefix('http')}{path}"
            from_page = Origin(origin) if origin else None
            return closing.enter_context(
                connect(url, origin=from_page, additional_headers=headers, proxy=None, open_timeout=RECEIVE_SECONDS)
            )

        yield opened


def is_refused(dial: Dial, *args: Any, **kwargs: Any) -> bool:
    try:
        dial(*args, **kwargs)
    except InvalidStatus as error:
        return error.response.status_code == 403
    return False


def said(socket: ClientConnection) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(socket.recv(timeout=RECEIVE_SECONDS))
    return told


@pytest.fixture
def stranger(transactional_db: None) -> Member:
    return Member.objects.create_user("mallory")


@pytest.fixture
def admin(transactional_db: None) -> Member:
    return Member.objects.create_user("root", is_staff=True, is_superuser=True)


def progress_of(account: Account) -> str:
    return f"/dashboard/ws/logins/{account.pk}/"


# Progress


def test_an_accounts_progress_is_for_its_owner_and_for_staff_who_may_see_logins(
    account: Account, stranger: Member, admin: Member, dial: Dial
) -> None:
    helper = Member.objects.create_user("helper", is_staff=True)
    assert is_refused(dial, progress_of(account))
    for member in (stranger, helper):
        assert is_refused(dial, progress_of(account), member)
    helper.user_permissions.add(Permission.objects.get(codename="view_loginattempt"))
    for member in (account.member, admin, helper):
        assert said(dial(progress_of(account), member))["state"] == {"label": "logged in", "tone": "good"}


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "http://127.0.0.1:1", None])
def test_another_sites_page_gets_no_socket(account: Account, dial: Dial, origin: str | None) -> None:
    assert is_refused(dial, progress_of(account), account.member, origin=origin)


def test_a_second_factor_that_was_not_given_closes_the_socket(account: Account, dial: Dial) -> None:
    SecondFactor.objects.create(user=account.member, name="app", confirmed=True)
    assert is_refused(dial, progress_of(account), account.member)


def test_an_unknown_path_is_refused(account: Account, dial: Dial) -> None:
    assert is_refused(dial, "/dashboard/ws/nothing/", account.member)


def test_a_login_is_told_step_by_step_in_the_readers_language(account: Account, dial: Dial) -> None:
    socket = dial(progress_of(account), account.member, cookie="django_language=en")
    assert said(socket)["login"] is None
    attempt = LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON, started_at=timezone.now())
    assert said(socket)["running"]
    attempt.steps = [{"at": 1.3, "step": "opening the portal", "detail": ""}]
    attempt.save()
    assert said(socket)["login"]["steps"] == [{"at": "1.3 s", "step": "opening the portal", "detail": ""}]
    LoginAttempt.objects.update(ended_at=timezone.now(), outcome=Outcome.FAILED, message="The page is odd.")
    ended = said(socket)
    assert (ended["running"], ended["login"]["outcome"]["tone"]) == (False, "bad")
    assert ended["login"]["message"] == "The page is odd."


# The live view


@pytest.fixture
def attempt(account: Account, address: str, monkeypatch: pytest.MonkeyPatch) -> LoginAttempt:
    """A live login that a worker has begun."""
    monkeypatch.setattr("celery.current_app.send_task", lambda *args, **kwargs: None)
    made = live.live_ask(account=account, web_url=f"ws{address.removeprefix('http')}")
    LoginAttempt.objects.filter(pk=made.pk).update(started_at=timezone.now())
    return made


def view_of(attempt: LoginAttempt) -> str:
    return f"/dashboard/ws/live/{attempt.pk}/"


def browser_of(attempt: LoginAttempt) -> str:
    return f"/dashboard/ws/browsers/{attempt.pk}/"


@pytest.fixture
def worker(attempt: LoginAttempt, dial: Dial) -> ClientConnection:
    return dial(browser_of(attempt), origin=None, **{DIAL_HEADER: crypto.unseal(attempt, "live_secret")})


def test_a_live_view_is_for_the_owner_and_not_even_for_staff(
    attempt: LoginAttempt, stranger: Member, admin: Member, dial: Dial
) -> None:
    for member in (None, stranger, admin):
        assert is_refused(dial, view_of(attempt), member)
    assert is_refused(dial, view_of(attempt), attempt.account.member, origin="https://elsewhere.example")
    assert dial(view_of(attempt), attempt.account.member)


def test_a_login_that_nobody_asked_to_see_has_no_view(account: Account, dial: Dial) -> None:
    attempt = LoginAttempt.objects.create(account=account, trigger=Trigger.REFRESH, started_at=timezone.now())
    assert is_refused(dial, view_of(attempt), account.member)


def test_a_worker_comes_in_by_the_secret_alone_and_once(
    attempt: LoginAttempt, dial: Dial, worker: ClientConnection
) -> None:
    assert LoginAttempt.objects.get(pk=attempt.pk).live_secret == ""
    assert is_refused(dial, browser_of(attempt), origin=None, **{DIAL_HEADER: crypto.unseal(attempt, "live_secret")})


@pytest.mark.parametrize("secret", ["", "wrong", "Ünicode"])
def test_a_wrong_secret_is_refused_and_spoils_nothing(attempt: LoginAttempt, dial: Dial, secret: str) -> None:
    assert is_refused(dial, browser_of(attempt), origin=None, **{DIAL_HEADER: secret})
    assert LoginAttempt.objects.get(pk=attempt.pk).live_secret != ""


def test_a_members_session_opens_no_workers_side(attempt: LoginAttempt, dial: Dial) -> None:
    assert is_refused(dial, browser_of(attempt), attempt.account.member)


def test_pictures_go_one_way_and_acts_the_other(attempt: LoginAttempt, worker: ClientConnection, dial: Dial) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    assert json.loads(worker.recv(timeout=RECEIVE_SECONDS)) == {"type": "here", "new": True}
    worker.send(b"\xff\xd8 a picture")
    assert view.recv(timeout=RECEIVE_SECONDS) == b"\xff\xd8 a picture"
    view.send(json.dumps({"type": "text", "text": "验证码 7"}))
    assert heard(worker, "text") == {"type": "text", "text": "验证码 7"}


def test_what_stands_beside_the_picture_comes_to_the_page(
    attempt: LoginAttempt, worker: ClientConnection, dial: Dial
) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    heard(worker, "here")
    dialog = Dialog(number=1, kind="confirm", text="Send an SMS?")
    worker.send(msgspec.json.encode(Said(dialog=dialog, is_wide=True)).decode())
    told = said(view)
    assert (told["dialog"]["text"], told["is_wide"], told["is_gone"]) == ("Send an SMS?", True, False)
    view.send(json.dumps({"type": "answer", "number": 1, "accept": True}))
    assert heard(worker, "answer")["accept"]


@pytest.mark.parametrize("message", ["{", '{"is_wide": "very"}', " " * 9000, b"x" * 600_001])
def test_a_worker_that_says_something_else_is_sent_away(
    attempt: LoginAttempt, worker: ClientConnection, dial: Dial, message: str | bytes
) -> None:
    worker.send(message)
    assert closed_with(worker) == MALFORMED


def test_a_browser_that_has_gone_is_told_and_its_login_ends_soon(
    attempt: LoginAttempt, worker: ClientConnection, dial: Dial
) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    heard(worker, "here")
    LoginAttempt.objects.update(lease_until=timezone.now() + timedelta(minutes=5))
    worker.close()
    assert said(view)["is_gone"]
    until(LoginAttempt.objects.filter(lease_until__lt=timezone.now() + timedelta(minutes=1)).exists)


def heard(worker: ClientConnection, kind: str) -> dict[str, Any]:
    """The next act of a kind."""
    while (act := json.loads(worker.recv(timeout=RECEIVE_SECONDS)))["type"] != kind:
        pass
    return dict(act)


class RecordingView(ViewerConsumer):
    """Notes what its page gets."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[bytes | None] = []

    async def send(self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False) -> None:
        self.shown.append(bytes_data)


async def test_a_slow_page_gets_the_newest_picture_next() -> None:
    view = RecordingView()
    for number in range(5):
        await view.chrome_picture({"picture": b"picture %d" % number})
    assert view.shown == [b"picture 0"]
    await view.receive(text_data="seen")
    assert view.shown == [b"picture 0", b"picture 4"]


async def test_no_picture_follows_a_browser_that_has_gone() -> None:
    view = RecordingView()
    for number in range(2):
        await view.chrome_picture({"picture": b"picture %d" % number})
    await view.chrome_said({"said": "{}", "is_gone": True})
    await view.receive(text_data="seen")
    assert view.shown == [b"picture 0", None]


def test_a_picture_follows_when_the_one_before_was_seen(
    attempt: LoginAttempt, worker: ClientConnection, dial: Dial
) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    heard(worker, "here")
    for number in range(2):
        worker.send(b"picture %d" % number)
        assert view.recv(timeout=RECEIVE_SECONDS) == b"picture %d" % number
        view.send("seen")


@pytest.mark.parametrize(
    "act",
    [
        '{"type": "press", "x": 1.5, "y": 0}',
        '{"type": "key", "name": "F12"}',
        '{"type": "text", "text": "a\\nb"}',
        '{"type": "text", "text": "a\\n"}',
        '{"type": "here"}',
        '{"type": "move", "x": 0, "y": 0, "button": "right"}',
        '{"type": "navigate", "url": "file:///etc/passwd"}',
        "[]",
        " " * 3000,
    ],
)
def test_an_act_of_another_shape_closes_the_view(attempt: LoginAttempt, dial: Dial, act: str) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    view.send(act)
    assert closed_with(view) == MALFORMED


def test_a_storm_of_moves_is_thinned_out_and_the_click_after_it_arrives(
    attempt: LoginAttempt, worker: ClientConnection, dial: Dial
) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    heard(worker, "here")
    for _ in range(2000):
        view.send('{"type": "move", "x": 0.5, "y": 0.5}')
    view.send('{"type": "press", "x": 0.5, "y": 0.5}')
    kinds: list[str] = []
    while not kinds or kinds[-1] != "press":
        kinds.append(json.loads(worker.recv(timeout=RECEIVE_SECONDS))["type"])
    assert kinds.count("move") < 1900


def test_the_view_closes_in_order_when_the_login_has_ended(attempt: LoginAttempt, dial: Dial) -> None:
    view = dial(view_of(attempt), attempt.account.member)
    LoginAttempt.objects.update(ended_at=timezone.now(), outcome=Outcome.FAILED)
    assert closed_with(view) == 1000


def test_an_open_view_keeps_a_login_that_waits_for_a_browser(attempt: LoginAttempt, dial: Dial) -> None:
    soon = timezone.now() + timedelta(seconds=5)
    LoginAttempt.objects.update(started_at=None, lease_until=soon)
    dial(view_of(attempt), attempt.account.member)
    later = LoginAttempt.objects.filter(pk=attempt.pk, lease_until__gt=soon + timedelta(seconds=10))
    until(later.exists)


# How long a socket may stay


def closed_with(socket: ClientConnection) -> int | None:
    """The close code, after whatever comes before it."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=RECEIVE_SECONDS)
    return socket.close_code


def test_the_end_of_a_session_closes_its_sockets(attempt: LoginAttempt, dial: Dial) -> None:
    member = attempt.account.member
    sockets = [dial(view_of(attempt), member), dial(progress_of(attempt.account), member)]
    Session.objects.all().delete()
    assert [closed_with(socket) for socket in sockets] == [SIGNED_OUT, SIGNED_OUT]


def test_another_password_closes_the_sockets_of_the_sessions_before(account: Account, dial: Dial) -> None:
    socket = dial(progress_of(account), account.member)
    account.member.set_password("another one, and long")
    account.member.save()
    assert closed_with(socket) == SIGNED_OUT


def test_a_second_factor_that_is_owed_from_now_on_closes_the_socket(account: Account, dial: Dial) -> None:
    socket = dial(progress_of(account), account.member)
    SecondFactor.objects.create(user=account.member, name="app", confirmed=True)
    assert closed_with(socket) == SIGNED_OUT


def test_staff_who_may_no_longer_see_logins_see_no_more_of_them(account: Account, dial: Dial, admin: Member) -> None:
    socket = dial(progress_of(account), admin)
    Member.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert closed_with(socket) == 1000


def test_a_member_has_no_endless_number_of_sockets(account: Account, dial: Dial, admin: Member) -> None:
    sockets = [dial(progress_of(account), account.member) for _ in range(MOST_SOCKETS)]
    assert is_refused(dial, progress_of(account), account.member)
    assert said(dial(progress_of(account), admin))
    sockets.pop().close()
    until(lambda: not is_refused(dial, progress_of(account), account.member), "a place for another")


class EndlessSocket(PageSocket):
    async def is_allowed(self, member: Member) -> bool:
        return True

    async def work(self) -> None:
        await asyncio.Event().wait()


async def test_a_socket_that_breaks_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    member = Member(pk=7)
    monkeypatch.setattr(access, "is_from_our_pages", lambda scope: True)
    monkeypatch.setattr(access, "has_second_factor", lambda scope: True)
    monkeypatch.setattr(access, "member_now", lambda scope: member)
    came = iter([{"type": "websocket.connect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        if (message := next(came, None)) is not None:
            return message
        raise ConnectionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    socket = EndlessSocket()
    with pytest.raises(ConnectionError):
        await socket({"type": "websocket", "user": member, "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.accept"]
    assert sockets._open[7] == 0
    assert socket._work is not None
    assert socket._watch is not None
    assert socket._work.cancelled()
    assert socket._watch.cancelled()


def test_a_view_of_nothing_is_refused(account: Account, dial: Dial) -> None:
    missing: UUID = uuid4()
    assert is_refused(dial, f"/dashboard/ws/live/{missing}/", account.member)


def test_a_gateway_that_stops_sends_its_pages_away(
    account: Account, dial: Dial, tmp_path: Path, school: School
) -> None:
    env = {"DJANGO_SETTINGS_MODULE": "gateway.settings", "DATABASE_URL": database_url(), "XIPU_PORTAL_URL": school.url}
    with running("manage.py", "serve", "--port", "0", log=tmp_path / "log", env=env) as process:
        url = process.wait_for_line("gateway ready on ").split()[-1].rstrip("/")
        client = Client()
        client.force_login(account.member)
        cookie = {"cookie": f"sessionid={client.cookies['sessionid'].value}"}
        path = f"ws{url.removeprefix('http')}{progress_of(account)}"
        with connect(path, origin=Origin(url), additional_headers=cookie, proxy=None, open_timeout=60) as socket:
            assert said(socket)
            process.popen.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=RECEIVE_SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert process.popen.wait(RECEIVE_SECONDS) == 0
