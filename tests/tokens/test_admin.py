"""The admin's pages of logins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, Member
from accounts.services import member_add
from tokens.logins import accounts_to_refresh
from tokens.models import LoginAttempt, Outcome, Trigger, UpstreamToken
from tokens.pictures import screenshot_path

pytestmark = pytest.mark.django_db
LOGINS = "/admin/tokens/loginattempt/"
PICTURE = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24", xjtlu_password="x")


@pytest.fixture
def attempt(account: Account) -> LoginAttempt:
    now = timezone.now()
    return LoginAttempt.objects.create(
        account=account,
        trigger=Trigger.REQUEST,
        started_at=now - timedelta(seconds=14.3),
        ended_at=now,
        outcome=Outcome.NEEDS_YOU,
        message="The sign-on asks for a captcha.",
        steps=[{"at": 4.2, "step": "sign-on page", "detail": "<b>2026</b>"}],
    )


@pytest.fixture
def picture(attempt: LoginAttempt) -> Any:
    path = screenshot_path(attempt)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PICTURE)
    LoginAttempt.objects.update(has_screenshot=True)
    yield path
    path.unlink(missing_ok=True)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_list_tells_why_how_and_how_long(boss: Client, attempt: LoginAttempt) -> None:
    shown = text(boss.get(LOGINS))
    for part in ("San.Zhang24", "a request found no token", "needs you", "The sign-on asks for a captcha.", "14.3 s"):
        assert part in shown


def test_an_open_login_is_waiting_then_running(boss: Client, account: Account) -> None:
    LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
    assert ">waiting<" in text(boss.get(LOGINS))
    LoginAttempt.objects.update(started_at=timezone.now())
    assert ">running<" in text(boss.get(LOGINS))


def test_the_page_of_a_login_shows_its_steps_escaped(boss: Client, attempt: LoginAttempt) -> None:
    shown = text(boss.get(f"{LOGINS}{attempt.pk}/change/"))
    assert "<td>4.2 s</td><td>sign-on page</td><td>&lt;b&gt;2026&lt;/b&gt;</td>" in shown


def test_the_picture_is_shown_and_kept_by_no_cache(boss: Client, attempt: LoginAttempt, picture: Any) -> None:
    assert f"{LOGINS}{attempt.pk}/screenshot/" in text(boss.get(f"{LOGINS}{attempt.pk}/change/"))
    answer = boss.get(f"{LOGINS}{attempt.pk}/screenshot/")
    assert (answer.content, answer["Content-Type"]) == (PICTURE, "image/png")
    assert "no-store" in answer["Cache-Control"]


def test_a_login_without_a_picture_is_not_found(boss: Client, attempt: LoginAttempt) -> None:
    assert "/screenshot/" not in text(boss.get(f"{LOGINS}{attempt.pk}/change/"))
    assert boss.get(f"{LOGINS}{attempt.pk}/screenshot/").status_code == 404


def test_a_picture_whose_file_is_gone_is_not_found(boss: Client, attempt: LoginAttempt, picture: Any) -> None:
    picture.unlink()
    assert boss.get(f"{LOGINS}{attempt.pk}/screenshot/").status_code == 404


@pytest.mark.parametrize("name", ["no-such-login", "00000000-0000-0000-0000-000000000000", "../../secret_key"])
def test_no_other_file_is_reached(boss: Client, picture: Any, name: str) -> None:
    assert boss.get(f"{LOGINS}{name}/screenshot/").status_code == 404


def test_the_picture_needs_the_permission_to_view_logins(attempt: LoginAttempt, picture: Any) -> None:
    helper = Member.objects.create_user("helper", is_staff=True)
    client = Client()
    client.force_login(helper)
    assert client.get(f"{LOGINS}{attempt.pk}/screenshot/").status_code == 403
    helper.user_permissions.add(Permission.objects.get(codename="view_loginattempt"))
    assert client.get(f"{LOGINS}{attempt.pk}/screenshot/").status_code == 200


def test_nobody_sees_a_picture(attempt: LoginAttempt, picture: Any) -> None:
    assert Client().get(f"{LOGINS}{attempt.pk}/screenshot/").status_code == 302


@pytest.mark.parametrize("page", ["add/", "{pk}/delete/"])
def test_logins_are_only_read(boss: Client, attempt: LoginAttempt, page: str) -> None:
    assert boss.post(LOGINS + page.format(pk=attempt.pk), {"post": "yes"}).status_code == 403
    assert boss.post(f"{LOGINS}{attempt.pk}/change/", {"message": "x"}).status_code == 403


def test_tokens_have_no_page() -> None:
    assert not admin.site.is_registered(UpstreamToken)


def test_the_list_takes_as_many_queries_for_ten_as_for_one(boss: Client, attempt: LoginAttempt) -> None:
    boss.get(LOGINS)
    with CaptureQueriesContext(connection) as one:
        boss.get(LOGINS)
    for number in range(9):
        account = member_add(name=f"m{number}", xjtlu_username=f"M{number}")
        LoginAttempt.objects.create(account=account, trigger=Trigger.ADDED)
    with CaptureQueriesContext(connection) as ten:
        boss.get(LOGINS)
    assert len(ten) == len(one)


def test_a_first_login_that_failed_is_tried_again_by_itself(account: Account) -> None:
    assert accounts_to_refresh() == []
    Account.objects.update(early_failures=1)
    assert accounts_to_refresh() == [account]
