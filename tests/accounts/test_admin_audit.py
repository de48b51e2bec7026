"""The admin's pages of the audit and of invitations."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from accounts import audit
from accounts.invitations import invitation_find, invitation_make
from accounts.keys import key_issue
from accounts.models import Account, AuditEntry, Invitation, Member
from accounts.services import member_add

pytestmark = pytest.mark.django_db
AUDIT = "/admin/accounts/auditentry/"
INVITATIONS = "/admin/accounts/invitation/"
LINK = re.compile(r"/dashboard/invitation/([\w-]+)/")


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24")


def helper(*permissions: str) -> Client:
    member = Member.objects.create_user("helper", is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(member)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def shown(answer: Any) -> list[str]:
    return [str(row) for row in answer.context["cl"].result_list]


class TestAudit:
    @pytest.mark.parametrize("page", ["add/", "{pk}/change/", "{pk}/delete/"])
    def test_not_even_a_superuser_edits_it(self, boss: Client, account: Account, page: str) -> None:
        entry = audit.note(actor=None, action="Paused.", target=account)
        assert boss.post(AUDIT + page.format(pk=entry.pk), {"action": "x", "post": "yes"}).status_code == 403

    def test_no_action_deletes_many(self, boss: Client, account: Account) -> None:
        entry = audit.note(actor=None, action="Paused.", target=account)
        boss.post(AUDIT, {"action": "delete_selected", "_selected_action": [str(entry.pk)], "post": "yes"})
        assert AuditEntry.objects.filter(pk=entry.pk).exists()

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=boss", ["boss: Paused."]),
            ("q=San.Zhang", ["boss: Paused."]),
            ("q=zhang", ["system: Renamed.", "boss: Paused."]),
            ("q=former-name", ["system: Renamed."]),
            ("q=nobody-else", []),
            ("target_kind__exact=account", ["boss: Paused."]),
            ("action=Renamed.", ["system: Renamed."]),
            ("at_from_0=2999-01-01&at_from_1=00:00:00", []),
        ],
    )
    def test_it_is_searched_and_filtered(self, boss: Client, account: Account, query: str, found: list[str]) -> None:
        audit.note(actor=Member.objects.get(username="boss"), action="Paused.", target=account)
        renamed = [audit.Change("username", "former-name", "zhang")]
        audit.note(actor=None, action="Renamed.", target=account.member, changes=renamed)
        assert shown(boss.get(f"{AUDIT}?{query}")) == found

    def test_a_member_s_keys_are_found_by_the_name_that_the_member_has_or_had(
        self, boss: Client, account: Account
    ) -> None:
        audit.note(actor=None, action="Revoked.", target=key_issue(member=account.member)[0])
        Member.objects.filter(pk=account.member_id).update(username="wu")
        for query in ("q=zhang", "q=wu", f"member__id__exact={account.member_id}"):
            assert shown(boss.get(f"{AUDIT}?{query}")) == ["system: Revoked."]
        assert f'href="/admin/accounts/member/{account.member_id}/change/">wu</a>' in text(boss.get(AUDIT))

    def test_names_permissions_and_limits_are_told_as_they_were_and_are(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        may_view = Permission.objects.get(codename="view_account")
        member = {"username": "wu", "is_active": "on", "is_staff": "on", "user_permissions": [may_view.pk]}
        boss.post(f"/admin/accounts/member/{account.member_id}/change/", member)
        boss.post(f"/admin/accounts/account/{account.pk}/change/", {"username": "Wu.Da24", "new_password": "secret-9"})
        boss.post(f"/admin/accounts/apikey/{key.pk}/change/", {"name": "default", "requests_per_day": "7"})
        page = text(boss.get(AUDIT))
        for told in (
            "Username: zhang → wu",
            "Staff status: no → yes",
            "User permissions: – → see accounts",
            "XJTLU username: San.Zhang24 → Wu.Da24",
            "Requests per day: – → 7",
        ):
            assert told in page
        assert "secret-9" not in str(list(AuditEntry.objects.values_list()))

    def test_an_entry_leads_to_what_it_is_about(self, boss: Client, account: Account) -> None:
        audit.note(actor=None, action="Paused.", target=account)
        assert f'href="/admin/accounts/account/{account.pk}/change/"' in text(boss.get(AUDIT))

    def test_the_history_of_a_row_is_what_the_audit_says_of_it(self, boss: Client, account: Account) -> None:
        audit.note(actor=None, action="Paused.", target=account)
        audit.note(actor=None, action="Paused.", target=account.member)
        answer = boss.get(f"/admin/accounts/account/{account.pk}/history/", follow=True)
        assert shown(answer) == ["system: Paused."]
        assert "San.Zhang24" in text(answer)

    def test_an_added_and_a_changed_member_are_noted(self, boss: Client, account: Account) -> None:
        page = f"/admin/accounts/member/{account.member_id}/change/"
        boss.post(page, {"username": "zhang", "email": "z@example.org", "is_active": "on", "is_staff": "on"})
        assert [entry.action for entry in AuditEntry.objects.all()] == ["Changed the permissions.", "Changed."]

    def test_a_removal_is_noted_before_it_is_done(self, boss: Client) -> None:
        gone = Member.objects.create_user("gone")
        boss.post(f"/admin/accounts/member/{gone.pk}/delete/", {"confirmed": "yes"})
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.target_id, entry.target_name) == ("Removed.", str(gone.pk), "gone")

    def test_who_may_not_see_it_sees_none_of_it(self, account: Account) -> None:
        client = helper("view_account")
        assert client.get(AUDIT).status_code == 403
        assert client.get(f"/admin/accounts/account/{account.pk}/history/", follow=True).status_code == 403


class TestInvitations:
    def test_a_fresh_link_replaces_the_one_before(self, boss: Client, account: Account) -> None:
        invitation, before = invitation_make(member=account.member, created_by=None)
        answer = boss.post(f"{INVITATIONS}{invitation.pk}/act/renew/")
        fresh = LINK.findall(text(answer))[0]
        assert invitation_find(before) is None
        assert invitation_find(fresh) is not None
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize(
        ("state", "fields"),
        [
            ("open", {}),
            ("used", {"used_at": timezone.now()}),
            ("expired", {"expires_at": timezone.now() - timedelta(1)}),
        ],
    )
    def test_each_state_is_shown_and_found(self, boss: Client, account: Account, state: str, fields: Any) -> None:
        invitation_make(member=account.member, created_by=None)
        Invitation.objects.update(**fields)
        assert f">{state}</span>" in text(boss.get(INVITATIONS))
        assert boss.get(f"{INVITATIONS}?state={state}").context["cl"].result_count == 1
        assert (
            sum(
                boss.get(f"{INVITATIONS}?state={each}").context["cl"].result_count
                for each in ("open", "used", "expired")
            )
            == 1
        )

    def test_no_page_tells_a_link_again(self, boss: Client, account: Account) -> None:
        invitation, secret = invitation_make(member=account.member, created_by=None)
        page = text(boss.get(f"{INVITATIONS}{invitation.pk}/change/"))
        assert secret not in page
        assert invitation.digest not in page

    def test_a_member_of_staff_is_invited_by_a_superuser_alone(self) -> None:
        admin_member = Member.objects.create_superuser("chief")
        client = helper("view_member", "add_invitation")
        answer = client.post(f"/admin/accounts/member/{admin_member.pk}/act/invite/", follow=True)
        assert "only an admin may" in text(answer)
        assert not Invitation.objects.exists()

    def test_who_may_not_sign_in_is_not_invited(self, boss: Client) -> None:
        gone = Member.objects.create_user("gone", is_active=False)
        answer = boss.post(f"/admin/accounts/member/{gone.pk}/act/invite/", follow=True)
        assert "no invitation was made" in text(answer)
        assert not Invitation.objects.exists()


def test_groups_have_no_page() -> None:
    assert not admin.site.is_registered(Group)


class TestSignIn:
    def test_it_is_the_dashboards(self) -> None:
        answer = Client().get("/admin/login/?next=/admin/accounts/")
        assert (answer.status_code, answer["Location"]) == (302, "/dashboard/sign-in/?next=/admin/accounts/")

    def test_it_leads_to_no_other_site(self, boss: Client) -> None:
        assert boss.get("/admin/login/?next=https://example.org/")["Location"] == "/admin/"

    def test_a_member_without_access_is_led_to_their_dashboard(self, account: Account) -> None:
        client = Client()
        client.force_login(account.member)
        assert client.get("/admin/login/?next=/admin/")["Location"] == "/dashboard/"
