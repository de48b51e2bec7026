"""The admin's front page, as a person's browser asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, LoginBlock, Member
from accounts.services import member_add
from gateway.models import UpstreamSession, UsageRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


def account(name: str, block: str = "", **fields: Any) -> Account:
    made = member_add(name=name, xjtlu_username=f"{name}.Zhang", xjtlu_password="x")
    Account.objects.filter(pk=made.pk).update(login_block=block, **fields)
    return made


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_an_account_that_needs_a_person_stands_there_with_reason_and_button(boss: Client) -> None:
    made = account("ba", LoginBlock.NEEDS_YOU, login_block_reason="It asks for a captcha.")
    page = text(boss.get("/admin/"))
    assert "It asks for a captcha." in page
    assert f"/admin/accounts/account/{made.pk}/act/log_in_now/" in page
    assert 'data-copy-text="http://testserver/dashboard/account/"' in page


def test_a_wrong_password_leads_to_the_password_field(boss: Client) -> None:
    made = account("ba", LoginBlock.WRONG_PASSWORD)
    page = text(boss.get("/admin/"))
    assert f"/admin/accounts/account/{made.pk}/change/#id_new_password" in page
    assert f"{made.pk}/act/log_in_now/" not in page


def test_an_account_without_a_password_gets_an_invitation(boss: Client) -> None:
    made = member_add(name="si", xjtlu_username="Si")
    assert f"/admin/accounts/account/{made.pk}/act/invite/" in text(boss.get("/admin/"))


def test_accounts_that_work_or_mend_themselves_need_nobody(boss: Client) -> None:
    account("ba")
    assert boss.get("/admin/").context["needy"] == []


def test_the_button_mends_and_works_once(boss: Client) -> None:
    made = account("ba", LoginBlock.NEEDS_YOU)
    boss.post(f"/admin/accounts/account/{made.pk}/act/log_in_now/")
    made.refresh_from_db()
    assert made.login_block == ""
    assert boss.get("/admin/").context["needy"] == []


@pytest.mark.parametrize(("span", "points"), [("", 24), ("24h", 24), ("7d", 7), ("30d", 30), ("nonsense", 24)])
def test_usage_is_drawn_over_the_chosen_time(boss: Client, span: str, points: int) -> None:
    UsageRecord.objects.create(request_id="a", endpoint="x", status="done")
    page = boss.get(f"/admin/?span={span}")
    assert len(page.context["usage"].points) == points
    assert "usage-requests" in text(page)


def test_sessions_are_shown_of_fifty(boss: Client) -> None:
    UpstreamSession.objects.create(
        account=account("ba"), school_id=1, lease_until=timezone.now() + timedelta(minutes=1)
    )
    assert '<progress max="50" value="1"' in text(boss.get("/admin/"))


def test_every_part_of_the_gateway_is_named(boss: Client) -> None:
    names = {part.name for part in boss.get("/admin/").context["components"]}
    assert {"web", "logins", "calls", "broker", "database", "school"} <= names


def test_staff_see_what_they_may_see() -> None:
    account("ba", LoginBlock.NEEDS_YOU, login_block_reason="It asks for a captcha.")
    helper = Member.objects.create_user("helper", is_staff=True)
    client = Client()
    client.force_login(helper)
    nothing = client.get("/admin/")
    assert "captcha" not in text(nothing)
    assert "usage" not in nothing.context
    assert "components" not in nothing.context
    assert "There is nothing here that you may see." in text(nothing)
    helper.user_permissions.add(Permission.objects.get(codename="view_account"))
    page = text(client.get("/admin/"))
    assert "captcha" in page
    assert "act/log_in_now" not in page


def test_it_takes_as_many_queries_for_ten_accounts_as_for_one(boss: Client) -> None:
    account("m", LoginBlock.NEEDS_YOU)
    boss.get("/admin/")
    with CaptureQueriesContext(connection) as one:
        boss.get("/admin/")
    for number in range(9):
        made = account(f"m{number}", LoginBlock.NEEDS_YOU)
        UpstreamSession.objects.create(account=made, lease_until=timezone.now())
    with CaptureQueriesContext(connection) as ten:
        boss.get("/admin/")
    assert len(ten) == len(one)
