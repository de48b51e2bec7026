"""Oneself, the accounts of all, and the health, through the management API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account, AuditEntry, LoginBlock, Member
from accounts.services import password_change
from gateway.models import UpstreamSession
from tests.rest.conftest import error, page, program
from tokens.models import LoginAttempt, UpstreamToken

ACCOUNTS = "/api/accounts/"


class TestMe:
    def test_it_tells_the_state_of_the_account(self, alice: Account) -> None:
        body = page(alice.member).get("/api/me/").json()
        assert body["account"]["xjtlu_username"] == "Alice.A24"
        assert body["account"]["state"] == "logged_out"
        assert body["account"]["what_to_do"]

    def test_a_member_without_an_account_has_none(self) -> None:
        member = Member.objects.create(username="carol")
        assert page(member).get("/api/me/").json()["account"] is None

    def test_what_a_member_sets_is_kept(self, alice: Account) -> None:
        changes = {"display_name": "Alice A.", "time_zone": "Europe/Berlin"}
        answer = page(alice.member).patch("/api/me/", changes, content_type="application/json")
        assert answer.status_code == 200
        alice.member.refresh_from_db()
        assert (alice.member.first_name, alice.member.time_zone) == ("Alice A.", "Europe/Berlin")

    def test_an_unknown_time_zone_is_refused(self, alice: Account) -> None:
        answer = page(alice.member).patch("/api/me/", {"time_zone": "Moon"}, content_type="application/json")
        assert (answer.status_code, error(answer)["param"]) == (400, "time_zone")

    @pytest.mark.parametrize("field", ["username", "is_staff", "is_superuser", "password"])
    def test_nobody_makes_more_of_themselves(self, alice: Account, field: str) -> None:
        before = getattr(alice.member, field)
        page(alice.member).patch("/api/me/", {field: True}, content_type="application/json")
        alice.member.refresh_from_db()
        assert getattr(alice.member, field) == before

    def test_where_password_resets_go_is_changed_elsewhere(self, alice: Account) -> None:
        changes = {"email": "thief@example.org"}
        for client in (page(alice.member), program(alice.member)):
            answer = client.patch("/api/me/", changes, content_type="application/json")
            assert (answer.status_code, error(answer)["param"]) == (400, "email")
        alice.member.refresh_from_db()
        assert alice.member.email == ""


class TestAccounts:
    @pytest.mark.parametrize("act", ["log-in", "pause", "resume"])
    def test_those_of_staff_are_for_admins_alone_to_touch(self, alice: Account, act: str) -> None:
        Member.objects.filter(pk=alice.member_id).update(is_staff=True)
        helper = Member.objects.create_user("helper", is_staff=True)
        assert page(helper).post(f"{ACCOUNTS}{alice.pk}/{act}/").status_code == 403
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize("tail", ["", "{id}/", "{id}/log-in/", "{id}/pause/", "{id}/resume/"])
    def test_they_are_for_staff_alone(self, alice: Account, tail: str) -> None:
        path = ACCOUNTS + tail.format(id=alice.pk)
        client = page(alice.member)
        answer = client.post(path) if tail.count("/") == 2 else client.get(path)
        assert (answer.status_code, error(answer)["type"]) == (403, "permission_error")

    def test_the_list_says_who_needs_a_person_and_why(self, boss: Member, alice: Account, bob: Account) -> None:
        reason = "The sign-on asks for a captcha."
        Account.objects.filter(pk=alice.pk).update(login_block=LoginBlock.NEEDS_YOU, login_block_reason=reason)
        UpstreamSession.objects.create(account=bob, school_id=1, lease_until=timezone.now())
        rows = {row["member"]: row for row in page(boss).get(ACCOUNTS).json()["results"]}
        assert (rows["alice"]["needs_person"], rows["alice"]["reason"]) == (True, reason)
        # He has neither token nor password.
        assert (rows["bob"]["needs_person"], rows["bob"]["sessions"]) == (True, 1)

    def test_what_no_login_renews_needs_a_person_and_is_not_said_to_be_refreshed(
        self, boss: Member, alice: Account, bob: Account
    ) -> None:
        hour = timezone.now() + timedelta(hours=1)
        for account in (alice, bob):
            UpstreamToken.objects.create(account=account, secrets="x", api_url="", expires_at=hour, refresh_at=hour)
        password_change(account=bob, xjtlu_password="the password")
        LoginAttempt.objects.all().delete()
        rows = {row["member"]: row for row in page(boss).get(ACCOUNTS).json()["results"]}
        assert (rows["alice"]["needs_person"], rows["alice"]["next_refresh"]) == (True, None)
        assert rows["bob"]["needs_person"] is False
        assert rows["bob"]["next_refresh"]
        Account.objects.update(paused_at=timezone.now())
        assert page(boss).get(f"{ACCOUNTS}{bob.pk}/").json()["next_refresh"] is None

    def test_the_list_has_pages(self, boss: Member, alice: Account, bob: Account) -> None:
        client = page(boss)
        first = client.get(f"{ACCOUNTS}?limit=1").json()
        second = client.get(first["next"]).json()
        assert [first["results"][0]["member"], second["results"][0]["member"]] == ["bob", "alice"]
        assert second["next"] is None

    def test_no_answer_has_a_sealed_field(self, boss: Member, alice: Account) -> None:
        password_change(account=alice, xjtlu_password="the password")
        answer = page(boss).get(f"{ACCOUNTS}{alice.pk}/").content.decode()
        alice.refresh_from_db()
        assert "password" not in answer
        assert alice.password not in answer

    def test_a_login_is_asked_for(self, boss: Member, alice: Account) -> None:
        password_change(account=alice, xjtlu_password="the password")
        answer = page(boss).post(f"{ACCOUNTS}{alice.pk}/log-in/")
        assert answer.status_code == 202
        assert str(LoginAttempt.objects.get().pk) == answer.json()["id"]
        assert AuditEntry.objects.get().action == "Asked for a login."

    def test_logins_of_an_account_are_few_with_those_of_its_member(self, boss: Member, alice: Account) -> None:
        begun = timezone.now() - timedelta(minutes=20)
        for _ in range(6):
            LoginAttempt.objects.create(account=alice, trigger="person", started_at=begun, ended_at=begun)
        answer = page(boss).post(f"{ACCOUNTS}{alice.pk}/log-in/")
        assert (answer.status_code, error(answer)["code"]) == (429, "login_limit_reached")
        assert "the next login is possible from" in error(answer)["message"]
        assert 2350 < int(answer["retry-after"]) <= 2401
        assert not AuditEntry.objects.exists()

    def test_a_login_without_a_password_says_what_to_do(self, boss: Member, alice: Account) -> None:
        answer = page(boss).post(f"{ACCOUNTS}{alice.pk}/log-in/")
        assert (answer.status_code, error(answer)["code"]) == (503, "password_missing")
        assert not AuditEntry.objects.exists()

    def test_an_account_is_paused_and_resumed(self, boss: Member, alice: Account) -> None:
        client = page(boss)
        assert client.post(f"{ACCOUNTS}{alice.pk}/pause/").json()["state"] == "paused"
        assert client.post(f"{ACCOUNTS}{alice.pk}/resume/").json()["state"] == "logged_out"
        assert AuditEntry.objects.filter(target_id=str(alice.pk)).count() == 2

    def test_an_unknown_account_is_not_there(self, boss: Member) -> None:
        answer = page(boss).get(f"{ACCOUNTS}00000000-0000-4000-8000-000000000000/")
        assert (answer.status_code, error(answer)["code"]) == (404, "not_found")


class TestHealth:
    def test_it_is_for_staff_alone(self, alice: Account) -> None:
        assert page(alice.member).get("/api/health/").status_code == 403

    def test_it_names_every_part(self, boss: Member) -> None:
        body = page(boss).get("/api/health/").json()
        names = [component["name"] for component in body["components"]]
        workers, others = ["logins", "live", "calls"], ["broker", "database", "channels", "school"]
        assert names == ["web", *workers, "beat", "chrome", *others]
        assert body["state"] == "warn"

    def test_a_failed_login_of_long_ago_says_nothing(self, boss: Member, alice: Account) -> None:
        long_ago = timezone.now() - timedelta(days=2)
        LoginAttempt.objects.create(account=alice, trigger="person", ended_at=long_ago, outcome="failed")
        components = page(boss).get("/api/health/").json()["components"]
        assert components[-1]["state"] == "quiet"
