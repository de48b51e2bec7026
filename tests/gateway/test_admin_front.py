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

from accounts.invitations import invitation_make
from accounts.models import Account, Invitation, LoginBlock, Member
from accounts.services import member_add
from gateway.models import UpstreamSession, UsageRecord
from tests.school import School
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.services import token_import
from tokens.states import State

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


def login(account: Account, *, hours_ago: float = 0) -> None:
    """One that failed."""
    at = timezone.now() - timedelta(hours=hours_ago)
    LoginAttempt.objects.create(
        account=account, trigger=Trigger.ADDED, created_at=at, ended_at=at, outcome=Outcome.FAILED
    )


def permit(member: Member, codename: str) -> None:
    member.user_permissions.add(Permission.objects.get(codename=codename))


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


def test_an_account_that_works_but_is_not_renewed_stands_there_too(boss: Client, school: School) -> None:
    made = account("ba", LoginBlock.WRONG_PASSWORD, login_block_reason="The sign-on refused the login.")
    school.add_user("ba.Zhang")
    token_import(account=made, pasted=school.token("ba.Zhang"))
    account("si", LoginBlock.NEEDS_YOU)
    gravest, lightest = boss.get("/admin/").context["needy"]
    assert (gravest.account.username, lightest.account.username) == ("si.Zhang", "ba.Zhang")
    assert lightest.trouble is State.WRONG_PASSWORD
    assert lightest.reasons[0].startswith("It works until")


def test_an_account_that_works_by_a_token_alone_stands_there_too(boss: Client, school: School) -> None:
    made = member_add(name="si", xjtlu_username="si.Zhang")
    school.add_user("si.Zhang")
    token_import(account=made, pasted=school.token("si.Zhang"))
    (needy,) = boss.get("/admin/").context["needy"]
    assert (needy.trouble, needy.needs_password) == (State.LOGGED_OUT, True)
    assert needy.reasons[0].startswith("It works until")
    assert needy.reasons[1] == "No password is stored."


def test_busy_accounts_that_are_not_shown_are_counted(boss: Client) -> None:
    for number in range(14):
        UpstreamSession.objects.create(
            account=account(f"b{number}"), school_id=number + 1, lease_until=timezone.now() + timedelta(minutes=1)
        )
    page = boss.get("/admin/")
    assert len(page.context["work"]["busiest"]) == 12
    assert "2 more accounts have sessions or requests." in text(page)


def test_who_was_invited_is_expected_to_come(boss: Client) -> None:
    made = member_add(name="si", xjtlu_username="Si")
    invitation_make(member=made.member, created_by=None)
    page = boss.get("/admin/")
    assert page.context["needy"] == []
    assert "1 invited, not yet accepted" in text(page)
    Invitation.objects.update(expires_at=timezone.now())
    assert [each.account for each in boss.get("/admin/").context["needy"]] == [made]


def test_a_fresh_link_asks_first_where_it_would_end_one(boss: Client) -> None:
    made = member_add(name="si", xjtlu_username="Si")
    pages = [f"/admin/accounts/account/{made.pk}/change/", f"/admin/accounts/member/{made.member_id}/change/"]
    assert not any("A fresh one ends it" in text(boss.get(page)) for page in pages)
    invitation, _ = invitation_make(member=made.member, created_by=None)
    pages.append(f"/admin/accounts/invitation/{invitation.pk}/change/")
    assert all("A fresh one ends it" in text(boss.get(page)) for page in pages)


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
    names = {part.name for part in boss.get("/admin/").context["work"]["components"]}
    assert {"web", "logins", "calls", "beat", "chrome", "broker", "database", "school"} <= names


def test_staff_see_what_they_may_see() -> None:
    made = account("ba", LoginBlock.NEEDS_YOU, login_block_reason="It asks for a captcha.")
    login(made)
    helper = Member.objects.create_user("helper", is_staff=True)
    client = Client()
    client.force_login(helper)
    page = client.get("/admin/")
    assert "There is nothing here that you may see." in text(page)
    assert not any(name in page.context for name in ("usage", "members", "logins", "work"))
    assert client.get("/admin/now/logins/").status_code == 403
    permit(helper, "view_loginattempt")
    page = client.get("/admin/")
    assert "Logins of the last day" in text(page)
    assert "captcha" not in text(page)
    permit(helper, "view_account")
    page = client.get("/admin/")
    assert "captcha" in text(page)
    assert "act/log_in_now" not in text(page)
    assert page.context["work"]["components"] is None


def test_who_may_not_see_logins_reads_nothing_of_them() -> None:
    made = account("ba")
    login(made)
    helper = Member.objects.create_user("helper", is_staff=True)
    permit(helper, "view_account")
    client = Client()
    client.force_login(helper)
    assert "None has ended" not in text(client.get("/admin/"))
    page = text(client.get(f"/admin/accounts/account/{made.pk}/change/"))
    assert "data-login-progress" not in page
    assert "/screenshot/" not in page


def test_a_share_leads_to_the_rows_that_it_counts(boss: Client) -> None:
    made = account("ba")
    login(made)
    login(made, hours_ago=30)
    (share,) = boss.get("/admin/").context["logins"]["shares"]
    assert share.number == len(boss.get(share.link).context["cl"].result_list) == 1
    Member.objects.create_user("new")
    share = boss.get("/admin/").context["states"][-1]
    assert share.number == len(boss.get(share.link).context["cl"].result_list) == 1


@pytest.mark.parametrize("name", ["logins", "work"])
def test_a_moving_card_comes_anew_where_something_changed(boss: Client, name: str) -> None:
    made = account("ba")
    mark = boss.get("/admin/").context[name]["mark"]
    login(made)
    UpstreamSession.objects.create(account=made, school_id=1, lease_until=timezone.now())
    card = boss.get(f"/admin/now/{name}/?seen={mark}")
    assert f'id="{name}"' in text(card)
    assert boss.get(f"/admin/now/{name}/?seen={card.context[name]['mark']}").status_code == 204


def test_a_moving_card_leads_a_session_that_ended_to_the_sign_in() -> None:
    answer = Client().get("/admin/now/work/", headers={"hx-request": "true"})
    assert answer["hx-redirect"].startswith("/dashboard/sign-in/")


def test_an_empty_installation_shows_its_first_steps(boss: Client) -> None:
    page = text(boss.get("/admin/"))
    assert "First steps" in page
    assert "No requests in this time" in page
    assert "Accounts that need a person" not in page
    account("ba")
    assert "First steps" not in text(boss.get("/admin/"))


def test_it_takes_as_many_queries_for_ten_accounts_as_for_one(boss: Client) -> None:
    first = account("m", LoginBlock.NEEDS_YOU)
    UpstreamSession.objects.create(account=first, school_id=10, lease_until=timezone.now())
    boss.get("/admin/")
    with CaptureQueriesContext(connection) as one:
        boss.get("/admin/")
    for number in range(9):
        made = account(f"m{number}", LoginBlock.NEEDS_YOU)
        UpstreamSession.objects.create(account=made, school_id=number, lease_until=timezone.now())
    with CaptureQueriesContext(connection) as ten:
        boss.get("/admin/")
    assert len(ten) == len(one)
