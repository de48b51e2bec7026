"""The admin's pages of members, accounts and keys, as a person's browser asks for them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import audit, crypto
from accounts.invitations import invitation_find, invitation_make
from accounts.keys import key_find, key_issue, key_revoke
from accounts.models import Account, ApiKey, AuditEntry, Invitation, LoginBlock, Member
from accounts.services import account_pause, member_add
from gateway import departure
from gateway.models import Catalogue, UpstreamSession, UsageRecord
from tokens.models import LoginAttempt, Outcome, Trigger, UpstreamToken

pytestmark = pytest.mark.django_db
PASSWORD = "known-Secret-77"
KEY = re.compile(r"xg-[0-9a-f]{10}-[0-9a-f]{48}")
LINK = re.compile(r"/dashboard/invitation/([\w-]+)/")
ACCOUNTS = "/admin/accounts/account/"
KEYS = "/admin/accounts/apikey/"
MEMBERS = "/admin/accounts/member/"
FORM = {
    "name": "zhang",
    "email": "",
    "xjtlu_username": "San.Zhang24",
    "xjtlu_password": PASSWORD,
    "issue_key": "on",
}


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss", password="boss-password-1"))
    return client


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24", xjtlu_password=PASSWORD)


def page_of(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def press(client: Client, account: Account, name: str, **data: Any) -> Any:
    return client.post(f"{ACCOUNTS}{account.pk}/act/{name}/", data, follow=True)


def select(client: Client, action: str, *accounts: Account, **data: Any) -> Any:
    chosen = [str(account.pk) for account in accounts]
    return client.post(ACCOUNTS, {"action": action, "_selected_action": chosen, **data}, follow=True)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def messages(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def keys_in(answer: Any) -> list[str]:
    return list(dict.fromkeys(KEY.findall(text(answer))))


def links_in(answer: Any) -> list[str]:
    """The secrets of the invitations on the page."""
    return LINK.findall(text(answer))


def give_token(account: Account, *, hours: float = 5, **fields: Any) -> UpstreamToken:
    until = timezone.now() + timedelta(hours=hours)
    return UpstreamToken.objects.create(account=account, secrets="v1:k:x", expires_at=until, refresh_at=until, **fields)


class TestAddingAMember:
    def test_one_form_adds_member_account_key_and_login(self, boss: Client) -> None:
        answer = boss.post(f"{ACCOUNTS}add/", FORM)
        account = Account.objects.get(username="San.Zhang24")
        shown = KEY.findall(text(answer))
        assert (found := key_find(shown[0])) is not None
        assert found.member == account.member
        assert crypto.unseal(account, "password") == PASSWORD
        assert LoginAttempt.objects.get(account=account).trigger == Trigger.ADDED

    def test_the_page_with_the_key_may_be_kept_by_no_cache(self, boss: Client) -> None:
        assert "no-store" in boss.post(f"{ACCOUNTS}add/", FORM)["Cache-Control"]

    def test_its_answer_shows_a_link_by_which_the_member_joins(self, boss: Client) -> None:
        shown = links_in(boss.post(f"{ACCOUNTS}add/", FORM))
        assert (found := invitation_find(shown[0])) is not None
        assert found.member == Member.objects.get(username="zhang")

    def test_without_a_password_no_login_is_asked_for(self, boss: Client) -> None:
        boss.post(f"{ACCOUNTS}add/", {**FORM, "xjtlu_password": ""})
        assert Account.objects.count() == 1
        assert LoginAttempt.objects.count() == 0

    def test_without_the_tick_no_key_is_issued(self, boss: Client) -> None:
        answer = boss.post(f"{ACCOUNTS}add/", {**FORM, "issue_key": ""})
        assert "zhang was added" in text(answer)
        assert ApiKey.objects.count() == 0

    def test_the_same_form_sent_again_adds_and_shows_nothing(self, boss: Client) -> None:
        boss.post(f"{ACCOUNTS}add/", FORM)
        answer = boss.post(f"{ACCOUNTS}add/", FORM)
        assert "A member with this name exists already." in text(answer)
        assert not KEY.search(text(answer))
        assert ApiKey.objects.count() == 1

    @pytest.mark.parametrize("name", ["zhang", "ZHANG"])
    def test_a_taken_name_is_said_in_the_form(self, boss: Client, account: Account, name: str) -> None:
        answer = boss.post(f"{ACCOUNTS}add/", {**FORM, "name": name, "xjtlu_username": "Other"})
        assert "A member with this name exists already." in text(answer)

    @pytest.mark.parametrize("username", ["San.Zhang24", "san.zhang24"])
    def test_a_taken_xjtlu_username_is_said_in_the_form(self, boss: Client, account: Account, username: str) -> None:
        answer = boss.post(f"{ACCOUNTS}add/", {**FORM, "name": "other", "xjtlu_username": username})
        assert "A member with this XJTLU account exists already." in text(answer)
        assert not Member.objects.filter(username="other").exists()

    @pytest.mark.parametrize("username", ["San Zhang", "San.Zhang24@student.xjtlu.edu.cn", "张三"])
    def test_what_is_no_xjtlu_username_is_said_in_the_forms(
        self, boss: Client, account: Account, username: str
    ) -> None:
        added = boss.post(f"{ACCOUNTS}add/", {**FORM, "name": "other", "xjtlu_username": username})
        changed = boss.post(page_of(account), {"username": username, "new_password": "x"})
        for answer in (added, changed):
            assert "letters, digits, dots, hyphens and underscores only" in text(answer)

    def test_a_refused_form_does_not_give_the_password_back(self, boss: Client) -> None:
        answer = boss.post(f"{ACCOUNTS}add/", {**FORM, "name": "not a name!"})
        assert answer.status_code == 200
        assert PASSWORD not in text(answer)

    def test_the_password_field_is_not_filled_in_by_browsers(self, boss: Client) -> None:
        field = re.search(r"<input[^>]*xjtlu_password[^>]*>", text(boss.get(f"{ACCOUNTS}add/")))
        assert field is not None
        assert 'type="password"' in field[0]
        assert 'autocomplete="new-password"' in field[0]


class TestStates:
    def state(self, boss: Client, account: Account) -> str:
        row = re.search(r'<td class="field-state\b[^>]*>(.*?)</td>', text(boss.get(ACCOUNTS)), re.DOTALL)
        assert row is not None
        return re.sub(r"<[^>]+>", " ", row[1])

    def test_never_logged_in(self, boss: Client, account: Account) -> None:
        assert "logged out" in self.state(boss, account)
        assert "never logged in" in self.state(boss, account)

    def test_no_password(self, boss: Client) -> None:
        account = member_add(name="li", xjtlu_username="Li")
        assert "no password is stored" in self.state(boss, account)

    def test_logged_in_until(self, boss: Client, account: Account) -> None:
        token = give_token(account)
        assert token.expires_at is not None
        shown = timezone.localtime(token.expires_at).strftime("%Y-%m-%d %H:%M")
        assert f"until {shown}" in self.state(boss, account)

    def test_logged_in_but_not_renewed_tells_why(self, boss: Client, account: Account) -> None:
        give_token(account)
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU, login_block_reason="It asks for a captcha.")
        assert "Not renewed by itself: needs you. It asks for a captcha." in self.state(boss, account)

    @pytest.mark.parametrize("dead", [True, False])
    def test_a_dead_or_expired_token_is_logged_out(self, boss: Client, account: Account, dead: bool) -> None:
        give_token(account, hours=1 if dead else -1, dead_at=timezone.now() if dead else None)
        assert "logged out" in self.state(boss, account)

    def test_logging_in(self, boss: Client, account: Account) -> None:
        LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
        assert "logging in" in self.state(boss, account)

    @pytest.mark.parametrize("block", [LoginBlock.WRONG_PASSWORD, LoginBlock.NEEDS_YOU])
    def test_a_block_with_its_reason(self, boss: Client, account: Account, block: LoginBlock) -> None:
        Account.objects.update(login_block=block, login_block_reason="The reason.")
        assert str(block.label) in self.state(boss, account)
        assert "The reason." in self.state(boss, account)

    def test_failing_tells_the_next_try_and_the_last_message(self, boss: Client, account: Account) -> None:
        Account.objects.update(early_failures=1, next_login_at=timezone.now() + timedelta(minutes=4))
        LoginAttempt.objects.create(
            account=account, trigger="added", ended_at=timezone.now(), outcome=Outcome.FAILED, message="No portal."
        )
        assert "failing" in self.state(boss, account)
        assert "next try at" in self.state(boss, account)
        assert "No portal." in self.state(boss, account)

    def test_paused_comes_before_logged_in(self, boss: Client, account: Account) -> None:
        give_token(account)
        account_pause(account=account)
        assert "paused" in self.state(boss, account)

    def test_leaving_comes_before_all(self, boss: Client, account: Account) -> None:
        account_pause(account=account)
        departure.begin(member=account.member)
        assert "leaving" in self.state(boss, account)

    def test_the_list_is_filtered_by_state(self, boss: Client, account: Account) -> None:
        give_token(member_add(name="li", xjtlu_username="Wei.Li"))
        shown = text(boss.get(f"{ACCOUNTS}?state=logged_in"))
        assert "Wei.Li" in shown
        assert "San.Zhang24" not in shown

    def test_the_list_takes_as_many_queries_for_ten_as_for_one(self, boss: Client, account: Account) -> None:
        give_token(account)
        boss.get(ACCOUNTS)
        with CaptureQueriesContext(connection) as one:
            boss.get(ACCOUNTS)
        for number in range(9):
            each = member_add(name=f"m{number}", xjtlu_username=f"M{number}", xjtlu_password="x")
            give_token(each)
            LoginAttempt.objects.create(account=each, trigger="added", ended_at=timezone.now(), outcome=Outcome.FAILED)
        with CaptureQueriesContext(connection) as ten:
            boss.get(ACCOUNTS)
        assert len(ten) == len(one)


class TestTheAccountsPage:
    def test_needs_you_names_the_ways_out(self, boss: Client, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU, login_block_reason="A code was sent to the phone.")
        shown = text(boss.get(page_of(account)))
        assert "A code was sent to the phone." in shown
        assert "manage.py log_in zhang" in shown
        assert f"{ACCOUNTS}{account.pk}/token/" in shown
        assert f"{ACCOUNTS}{account.pk}/act/log_in_now/" in shown

    def test_a_new_password_is_stored_and_tried(self, boss: Client, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD, password_tries=1)
        boss.post(page_of(account), {"username": "San.Zhang24", "new_password": " new one "})
        account.refresh_from_db()
        assert crypto.unseal(account, "password") == " new one "
        assert account.login_block == LoginBlock.NONE
        assert LoginAttempt.objects.get().trigger == Trigger.ADDED

    def test_an_empty_password_changes_nothing(self, boss: Client, account: Account) -> None:
        before = account.password
        boss.post(page_of(account), {"username": "San.Zhang24", "new_password": ""})
        account.refresh_from_db()
        assert account.password == before
        assert not LoginAttempt.objects.exists()

    def test_a_new_password_of_a_paused_account_is_kept_for_later(self, boss: Client, account: Account) -> None:
        account_pause(account=account)
        answer = boss.post(page_of(account), {"username": "San.Zhang24", "new_password": "new"}, follow=True)
        account.refresh_from_db()
        assert crypto.unseal(account, "password") == "new"
        assert "paused" in messages(answer)

    def test_another_users_name_needs_another_password(self, boss: Client, account: Account) -> None:
        answer = boss.post(page_of(account), {"username": "Other.User", "new_password": ""})
        assert "give the new user" in text(answer)
        account.refresh_from_db()
        assert account.username == "San.Zhang24"

    def test_another_users_name_erases_what_was_kept(self, boss: Client, account: Account) -> None:
        give_token(account)
        Catalogue.objects.create(account=account)
        Account.objects.update(sign_on_cookies="v1:a:b")
        boss.post(page_of(account), {"username": "Other.User", "new_password": "other"})
        account.refresh_from_db()
        assert (account.username, account.sign_on_cookies) == ("Other.User", "")
        assert crypto.unseal(account, "password") == "other"
        assert not UpstreamToken.objects.exists()
        assert not Catalogue.objects.exists()

    def test_the_same_name_in_other_letters_keeps_all(self, boss: Client, account: Account) -> None:
        give_token(account)
        boss.post(page_of(account), {"username": "san.zhang24", "new_password": ""})
        account.refresh_from_db()
        assert account.username == "san.zhang24"
        assert crypto.unseal(account, "password") == PASSWORD
        assert UpstreamToken.objects.exists()

    def test_the_user_cannot_be_changed_while_sessions_are_at_the_school(self, boss: Client, account: Account) -> None:
        UpstreamSession.objects.create(account=account, school_id=1, lease_until=timezone.now())
        answer = boss.post(page_of(account), {"username": "Other.User", "new_password": "other"})
        assert "only this user can delete" in text(answer)
        account.refresh_from_db()
        assert account.username == "San.Zhang24"

    def test_the_user_cannot_be_changed_while_a_login_runs(self, boss: Client, account: Account) -> None:
        LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
        answer = boss.post(page_of(account), {"username": "Other.User", "new_password": "other"})
        assert "A login of the present XJTLU user is running" in text(answer)

    def test_a_leaving_account_cannot_be_changed(self, boss: Client, account: Account) -> None:
        departure.begin(member=account.member)
        assert boss.post(page_of(account), {"username": "Other"}).status_code == 403
        assert "act/pause" not in text(boss.get(page_of(account)))


class TestActions:
    def test_log_in_now_asks_for_a_login_of_each(self, boss: Client, account: Account) -> None:
        other = member_add(name="li", xjtlu_username="Li", xjtlu_password="x")
        answer = select(boss, "log_in_now", account, other)
        assert set(LoginAttempt.objects.values_list("account", "trigger")) == {
            (account.pk, Trigger.PERSON),
            (other.pk, Trigger.PERSON),
        }
        assert messages(answer) == "Li, San.Zhang24: a login is on its way."

    def test_log_in_now_warns_where_it_was_done_often(self, boss: Client, account: Account) -> None:
        now = timezone.now()
        for _ in range(6):
            LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON, started_at=now, ended_at=now)
        assert "though there were many within the hour." in messages(select(boss, "log_in_now", account))
        assert LoginAttempt.objects.filter(ended_at=None).exists()

    def test_log_in_now_tells_what_hinders_it(self, boss: Client, account: Account) -> None:
        account_pause(account=account)
        other = member_add(name="li", xjtlu_username="Li")
        answer = messages(select(boss, "log_in_now", account, other))
        assert "San.Zhang24: paused" in answer
        assert "Li: no XJTLU password is stored" in answer

    def test_a_person_ends_a_block(self, boss: Client, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
        press(boss, account, "log_in_now")
        account.refresh_from_db()
        assert account.login_block == LoginBlock.NONE
        assert LoginAttempt.objects.count() == 1

    def test_keys_are_shown_once_with_their_members(self, boss: Client, account: Account) -> None:
        other = member_add(name="li", xjtlu_username="Li")
        answer = select(boss, "issue_key", account, other)
        owners = [found.member.username for key in keys_in(answer) if (found := key_find(key))]
        assert sorted(owners) == ["li", "zhang"]
        assert [line.split(",")[:2] for line in answer.context["csv"].splitlines()[1:]] == [
            ["li", "default"],
            ["zhang", "default"],
        ]
        assert "no-store" in answer["Cache-Control"]

    def test_the_button_of_one_account_issues_a_key(self, boss: Client, account: Account) -> None:
        answer = press(boss, account, "issue_key")
        assert len(keys_in(answer)) == 1
        assert "no-store" in answer["Cache-Control"]

    def test_a_page_that_is_sent_again_issues_no_second_key(self, boss: Client, account: Account) -> None:
        once = {"once": "5f0c0f8e-2d5b-4a4f-9c3e-0d8a0b6a1c11"}
        assert keys_in(press(boss, account, "issue_key", **once))
        answer = press(boss, account, "issue_key", **once)
        assert not keys_in(answer)
        assert "Nothing was issued now." in messages(answer)
        assert ApiKey.objects.count() == 1

    def test_a_leaving_member_gets_no_key(self, boss: Client, account: Account) -> None:
        departure.begin(member=account.member)
        assert "this member is leaving" in messages(select(boss, "issue_key", account))
        assert not ApiKey.objects.exists()

    def test_all_keys_are_revoked(self, boss: Client, account: Account) -> None:
        key_issue(member=account.member)
        key_issue(member=account.member)
        answer = press(boss, account, "revoke_keys")
        assert "2 keys revoked" in messages(answer)
        assert not ApiKey.objects.filter(revoked_at=None).exists()

    def test_many_keys_are_revoked_only_after_a_question(self, boss: Client, account: Account) -> None:
        key_issue(member=account.member)
        assert "Revoke 1 key" in text(select(boss, "revoke_keys", account))
        assert ApiKey.objects.filter(revoked_at=None).exists()
        select(boss, "revoke_keys", account, confirmed="yes")
        assert not ApiKey.objects.filter(revoked_at=None).exists()

    def test_blocked_accounts_are_left_out_of_a_login_of_many(self, boss: Client, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
        other = member_add(name="li", xjtlu_username="Li", xjtlu_password="x")
        asked = text(select(boss, "log_in_now", account, other))
        assert "password refused: 1, needs a person: 0" in asked
        assert not LoginAttempt.objects.exists()
        answer = select(boss, "log_in_now", account, other, confirmed="yes")
        assert LoginAttempt.objects.get().account == other
        assert "San.Zhang24: left out" in messages(answer)
        account.refresh_from_db()
        assert account.login_block == LoginBlock.WRONG_PASSWORD

    def test_a_tick_lets_blocked_accounts_log_in_as_well(self, boss: Client, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU)
        select(boss, "log_in_now", account, confirmed="yes", blocked_too="on")
        assert LoginAttempt.objects.get().account == account

    def test_many_rows_of_one_outcome_are_one_message(self, boss: Client) -> None:
        many = [member_add(name=f"m{number}", xjtlu_username=f"M{number}") for number in range(5)]
        answer = select(boss, "log_in_now", *many)
        assert len(answer.context["messages"]) == 1
        assert messages(answer).startswith("5 (M0, M1, M2, …): no XJTLU password is stored")

    def test_what_was_refused_is_not_in_the_audit(self, boss: Client, account: Account) -> None:
        account_pause(account=account)
        leaving = member_add(name="li", xjtlu_username="Li")
        departure.begin(member=leaving.member)
        for action in ("log_in_now", "pause", "revoke_keys"):
            select(boss, action, account, leaving, confirmed="yes")
        assert not AuditEntry.objects.exists()

    def test_pause_and_resume(self, boss: Client, account: Account) -> None:
        press(boss, account, "pause")
        account.refresh_from_db()
        assert account.paused_at is not None
        select(boss, "resume", account)
        account.refresh_from_db()
        assert account.paused_at is None

    def test_a_button_is_no_link(self, boss: Client, account: Account) -> None:
        assert boss.get(f"{ACCOUNTS}{account.pk}/act/pause/").status_code == 405

    def test_a_button_needs_the_csrf_token(self, account: Account) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(Member.objects.create_superuser("boss2"))
        assert press(client, account, "pause").status_code == 403
        account.refresh_from_db()
        assert account.paused_at is None

    def test_what_was_done_is_in_the_audit_with_its_address(self, boss: Client, account: Account) -> None:
        press(boss, account, "pause")
        entry = AuditEntry.objects.get()
        assert (entry.actor_name, entry.action, entry.address) == ("boss", "Paused.", "127.0.0.1")
        assert (entry.target_kind, entry.target_id) == ("account", str(account.pk))

    def test_an_invitation_link_replaces_the_one_before(self, boss: Client, account: Account) -> None:
        first = links_in(press(boss, account, "invite"))[0]
        second = links_in(press(boss, account, "invite"))[0]
        assert invitation_find(first) is None
        assert invitation_find(second) is not None

    @pytest.mark.parametrize(
        ("server", "email", "said"),
        [
            ("smtp://localhost:1", "z@example.org", "mailed to z@example.org"),
            ("smtp://localhost:1", "", "not mailed: no e-mail address"),
            ("", "z@example.org", "not mailed: mail is not set up"),
        ],
    )
    def test_an_invitation_says_whether_it_was_mailed_and_why_not(
        self, boss: Client, account: Account, settings: Any, server: str, email: str, said: str
    ) -> None:
        settings.EMAIL_URL = server
        Member.objects.filter(pk=account.member_id).update(email=email)
        assert said in text(press(boss, account, "invite"))

    def test_what_can_be_saved_holds_nothing_that_a_spreadsheet_runs(self, boss: Client) -> None:
        runs = member_add(name="+cmd", xjtlu_username="Cmd")
        answer = select(boss, "invite", runs, member_add(name="li", xjtlu_username="Li"))
        assert "\n'+cmd,Invitation,http" in answer.context["csv"]


class TestRemoving:
    def test_a_bulk_removal_asks_first(self, boss: Client, account: Account) -> None:
        answer = select(boss, "remove_members", account)
        assert "usage records stay without a name" in text(answer)
        account.member.refresh_from_db()
        assert account.member.leaving_at is None

    def test_a_confirmed_removal_lets_the_member_leave(self, boss: Client, account: Account) -> None:
        key_issue(member=account.member)
        answer = select(boss, "remove_members", account, confirmed="yes")
        account.member.refresh_from_db()
        assert account.member.leaving_at is not None
        assert not ApiKey.objects.filter(revoked_at=None).exists()
        assert "sessions at the school are cleaned first" in messages(answer)

    @pytest.mark.parametrize("of", ["account", "member"])
    def test_the_ordinary_delete_does_the_same(self, boss: Client, account: Account, of: str) -> None:
        row = account if of == "account" else account.member
        page = reverse(f"admin:accounts_{of}_delete", args=[row.pk])
        assert "cleaned up first" in text(boss.get(page))
        boss.post(page, {"confirmed": "yes"})
        account.member.refresh_from_db()
        assert account.member.leaving_at is not None
        assert Account.objects.exists()

    def test_a_user_without_an_account_is_deleted_at_once(self, boss: Client) -> None:
        staff = Member.objects.create_user("helper", is_staff=True)
        boss.post(reverse("admin:accounts_member_delete", args=[staff.pk]), {"confirmed": "yes"})
        assert not Member.objects.filter(username="helper").exists()

    def test_a_bulk_removal_of_members_tells_the_two_apart(self, boss: Client, account: Account) -> None:
        staff = Member.objects.create_user("helper", is_staff=True)
        chosen = [str(staff.pk), str(account.member_id)]
        boss.post(MEMBERS, {"action": "remove_members", "_selected_action": chosen, "confirmed": "yes"})
        assert Member.objects.get(pk=account.member_id).leaving_at is not None
        assert not Member.objects.filter(pk=staff.pk).exists()

    def test_django_s_own_bulk_delete_is_gone(self, boss: Client, account: Account) -> None:
        select(boss, "delete_selected", account, post="yes")
        assert Account.objects.exists()


class TestTheLastAdmin:
    @pytest.mark.parametrize("flags", [{}, {"is_active": "on", "is_superuser": "on"}, {"is_staff": "on"}])
    def test_stays_one_while_nobody_else_is(self, boss: Client, flags: dict[str, str]) -> None:
        chief = Member.objects.get()
        answer = boss.post(f"{MEMBERS}{chief.pk}/change/", {"username": "boss", **flags})
        assert "Make somebody else an admin first." in text(answer)
        chief.refresh_from_db()
        assert (chief.is_active, chief.is_staff, chief.is_superuser) == (True, True, True)

    def test_is_not_removed(self, boss: Client) -> None:
        chief = Member.objects.get()
        answer = boss.post(f"{MEMBERS}{chief.pk}/delete/", {"confirmed": "yes"}, follow=True)
        assert "boss: not removed" in messages(answer)
        assert Member.objects.filter(username="boss").exists()

    def test_of_two_only_one_is_removed(self, boss: Client) -> None:
        Member.objects.create_superuser("second")
        chosen = list(Member.objects.values_list("pk", flat=True))
        boss.post(MEMBERS, {"action": "remove_members", "_selected_action": chosen, "confirmed": "yes"})
        assert Member.objects.filter(is_superuser=True, is_active=True).count() == 1

    def test_gives_it_up_once_there_is_another(self, boss: Client) -> None:
        Member.objects.create_superuser("second")
        chief = Member.objects.get(username="boss")
        boss.post(f"{MEMBERS}{chief.pk}/change/", {"username": "boss", "is_active": "on"})
        chief.refresh_from_db()
        assert chief.is_superuser is False


class TestMembers:
    def test_the_list_shows_account_and_live_keys(self, boss: Client, account: Account) -> None:
        key_issue(member=account.member)
        shown = text(boss.get(MEMBERS))
        assert "San.Zhang24" in shown
        assert f'{KEYS}?member__id__exact={account.member_id}">1</a>' in shown


class TestKeys:
    def test_a_new_key_is_shown_once(self, boss: Client, account: Account) -> None:
        data = {"member": account.member_id, "name": "laptop", "expires_at_0": "2036-01-02", "expires_at_1": "03:04"}
        answer = boss.post(f"{KEYS}add/", data)
        key = key_find(keys_in(answer)[0])
        assert key is not None
        assert (key.member, key.name) == (account.member, "laptop")
        assert key.expires_at is not None
        assert "no-store" in answer["Cache-Control"]

    def test_the_form_sent_again_is_refused(self, boss: Client, account: Account) -> None:
        once = re.search(r'name="once" value="([^"]+)"', text(boss.get(f"{KEYS}add/")))
        assert once is not None
        data = {"member": account.member_id, "name": "laptop", "once": once[1]}
        assert keys_in(boss.post(f"{KEYS}add/", data))
        answer = boss.post(f"{KEYS}add/", data)
        assert "This form was sent before" in text(answer)
        assert ApiKey.objects.count() == 1

    def test_what_a_key_asks_for_by_itself_can_be_set(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        boss.post(f"{KEYS}{key.pk}/change/", {"name": "phone", "web_search": "on", "fold_reasoning": "on"})
        key.refresh_from_db()
        assert (key.web_search, key.fold_reasoning) == (True, True)

    def test_name_expiry_and_preferences_alone_can_be_changed(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        data = {
            "name": "phone",
            "expires_at_0": "",
            "expires_at_1": "",
            "prefix": "x",
            "digest": "y",
            "revoked_at": "z",
        }
        boss.post(f"{KEYS}{key.pk}/change/", data)
        changed = ApiKey.objects.get()
        assert (changed.name, changed.prefix, changed.digest) == ("phone", key.prefix, key.digest)

    def test_a_key_is_revoked_and_stays_in_the_list(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        boss.post(f"{KEYS}{key.pk}/act/revoke/")
        key.refresh_from_db()
        assert key.revoked_at is not None
        assert key.prefix in text(boss.get(f"{KEYS}?state=revoked"))
        assert key.prefix not in text(boss.get(f"{KEYS}?state=live"))

    def test_keys_of_the_list_are_revoked_after_a_question_and_once(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        chosen = {"action": "revoke", "_selected_action": [key.pk]}
        assert "Revoke 1 key" in text(boss.post(KEYS, chosen))
        assert ApiKey.objects.get().revoked_at is None
        for _time in range(2):
            answer = boss.post(KEYS, {**chosen, "confirmed": "yes"}, follow=True)
        assert "revoked before" in messages(answer)
        assert AuditEntry.objects.count() == 1

    def test_limits_are_set_with_the_key(self, boss: Client, account: Account) -> None:
        limits = {"allowed_models": "a\nb, a", "allowed_networks": "10.1.2.3/8\n::1", "requests_per_day": "7"}
        boss.post(f"{KEYS}add/", {"member": account.member_id, "name": "n", "may_manage": "on", **limits})
        key = ApiKey.objects.get()
        assert (key.allowed_models, key.allowed_networks) == (["a", "b"], ["10.0.0.0/8", "::1/128"])
        assert (key.requests_per_minute, key.requests_per_day, key.may_manage) == (None, 7, True)

    def test_what_is_no_network_is_said_in_the_form(self, boss: Client, account: Account) -> None:
        answer = boss.post(f"{KEYS}add/", {"member": account.member_id, "name": "n", "allowed_networks": "10.0.0.0/99"})
        assert "is no address or network" in text(answer)
        assert not ApiKey.objects.exists()

    def test_a_model_that_no_account_is_offered_is_kept_with_a_warning(self, boss: Client, account: Account) -> None:
        Catalogue.objects.create(account=account, offered=[{"id": "known"}])
        key, _ = key_issue(member=account.member)
        data = {"name": "n", "allowed_models": "known\nnew"}
        answer = boss.post(f"{KEYS}{key.pk}/change/", data, follow=True)
        assert "now: new." in messages(answer)
        assert ApiKey.objects.get().allowed_models == ["known", "new"]

    def test_what_was_changed_is_in_the_audit(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        boss.post(f"{KEYS}{key.pk}/change/", {"name": "default", "requests_per_day": "5", "allowed_models": "m"})
        assert [entry.action for entry in AuditEntry.objects.all()] == ["Changed the limits."]

    def test_a_rotation_asks_how_long_the_old_key_works(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        assert "The old key works for" in text(boss.post(f"{KEYS}{key.pk}/act/rotate/"))
        assert ApiKey.objects.count() == 1

    def test_a_rotated_key_works_on_beside_the_new_one(self, boss: Client, account: Account) -> None:
        key, old = key_issue(member=account.member)
        new = keys_in(boss.post(f"{KEYS}{key.pk}/act/rotate/", {"grace": "24"}))[0]
        found = [key_find(each) for each in (old, new)]
        assert [each.is_live for each in found if each] == [True, True]
        assert ApiKey.objects.get(pk=key.pk).expires_at is not None

    def test_many_keys_are_rotated_at_once(self, boss: Client, account: Account) -> None:
        chosen = [str(key_issue(member=account.member)[0].pk) for _ in range(2)]
        answer = boss.post(KEYS, {"action": "rotate", "_selected_action": chosen, "grace": "0"})
        assert len(keys_in(answer)) == 2
        assert not ApiKey.objects.filter(pk__in=chosen, expires_at=None).exists()

    def test_a_revoked_key_is_not_rotated(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        key_revoke(key=key)
        answer = boss.post(f"{KEYS}{key.pk}/act/rotate/", {"grace": "24"}, follow=True)
        assert "cannot be rotated" in messages(answer)
        assert ApiKey.objects.count() == 1

    def test_a_key_page_tells_its_own_usage_and_from_where_it_was_used(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        ApiKey.objects.update(last_used_at=timezone.now(), last_used_from="192.0.2.7")
        UsageRecord.objects.create(request_id="a", endpoint="x", api_key=key, status="done")
        UsageRecord.objects.create(request_id="b", endpoint="x", status="done")
        page = boss.get(f"{KEYS}{key.pk}/change/?span=7d")
        assert page.context["usage"].total.requests == 1
        assert "from 192.0.2.7" in text(page)

    def test_keys_are_not_deleted(self, boss: Client, account: Account) -> None:
        key, _ = key_issue(member=account.member)
        assert boss.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403


def all_pages(account: Account) -> list[str]:
    """Every admin page that shows something of the account."""
    lists = [
        reverse(f"admin:{name}_changelist")
        for name in (
            *("accounts_account", "accounts_member", "accounts_apikey", "accounts_invitation", "accounts_auditentry"),
            *("tokens_loginattempt", "gateway_usagerecord", "gateway_upstreamsession"),
        )
    ]
    rows = [account, account.member, *ApiKey.objects.all(), *LoginAttempt.objects.all(), *UsageRecord.objects.all()]
    rows += [*UpstreamSession.objects.all(), *Invitation.objects.all(), *AuditEntry.objects.all()]
    views = ("change", "history", "delete")
    pages = [
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{view}", args=[row.pk])
        for row in rows
        for view in views
    ]
    forms = [f"{ACCOUNTS}add/", f"{ACCOUNTS}import/", f"{MEMBERS}add/", f"{KEYS}add/"]
    return ["/admin/", *lists, *pages, *forms, f"{MEMBERS}{account.member_id}/password/"]


def furnished(account: Account) -> Account:
    """The account with a row of every kind."""
    give_token(account)
    key_issue(member=account.member)
    LoginAttempt.objects.create(account=account, trigger="added", ended_at=timezone.now(), outcome=Outcome.CAPTURED)
    UpstreamSession.objects.create(account=account, school_id=7, lease_until=timezone.now())
    UsageRecord.objects.create(member=account.member, account=account, request_id="req_1", endpoint="chat/completions")
    invitation_make(member=account.member, created_by=None)
    audit.note(actor=None, action="Paused.", target=account)
    return account


def rows_of(account: Account) -> list[Any]:
    """All that an action could change."""
    found = [Account.objects.filter(pk=account.pk), Member.objects.filter(pk=account.member_id)]
    return [
        list(rows.values())
        for rows in (*found, ApiKey.objects.all(), Invitation.objects.all(), LoginAttempt.objects.all())
    ]


class TestWhoSeesWhat:
    @pytest.mark.parametrize("who", ["nobody", "member"])
    def test_nobody_and_members_are_sent_to_the_sign_in(self, account: Account, who: str) -> None:
        client = Client()
        if who == "member":
            client.force_login(furnished(account).member)
        for page in all_pages(account):
            answer = client.get(page)
            assert (answer.status_code, answer.url.split("?")[0]) == (302, "/admin/login/"), page  # type: ignore[attr-defined]

    def test_staff_without_permissions_see_no_row(self, account: Account) -> None:
        client = Client()
        client.force_login(Member.objects.create_user("helper", is_staff=True))
        for page in all_pages(furnished(account))[1:]:
            assert client.get(page).status_code == 403, page

    def test_staff_without_permissions_can_press_no_button(self, account: Account) -> None:
        client = Client()
        client.force_login(Member.objects.create_user("helper", is_staff=True))
        for name in ("log_in_now", "issue_key", "revoke_keys", "pause", "resume", "remove_members"):
            assert press(client, account, name).status_code == 403, name

    def test_staff_cannot_become_an_admin(self, boss: Client, account: Account) -> None:
        chief = Member.objects.get(username="boss")
        helper = Member.objects.create_user("helper", is_staff=True)
        names = ("change_member", "delete_member", "add_apikey", "change_apikey", "view_apikey")
        helper.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(helper)
        for page in (f"{chief.pk}/password/", f"{chief.pk}/change/", f"{chief.pk}/delete/", f"{helper.pk}/password/"):
            assert client.post(MEMBERS + page).status_code == 403, page
        assert not keys_in(client.post(f"{KEYS}add/", {"member": chief.pk, "name": "n", "may_manage": "on"}))
        key, _ = key_issue(member=chief)
        assert not keys_in(client.post(f"{KEYS}{key.pk}/act/rotate/", {"grace": "0"}))
        raised = {"username": "zhang", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        client.post(f"{MEMBERS}{account.member_id}/change/", raised)
        account.member.refresh_from_db()
        assert (account.member.is_staff, account.member.is_superuser) == (False, False)

    def test_staff_touch_nothing_that_belongs_to_staff(self) -> None:
        chief = furnished(member_add(name="chief", xjtlu_username="Chief", xjtlu_password="x"))
        Member.objects.filter(pk=chief.member_id).update(is_staff=True, is_superuser=True)
        before = rows_of(chief)
        helper = Member.objects.create_user("helper", is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
        client = Client()
        client.force_login(helper)
        for row in (chief, chief.member, ApiKey.objects.get(), Invitation.objects.get()):
            rows = f"/admin/accounts/{row._meta.model_name}/"
            for name in admin.site.get_model_admin(type(row)).actions or ():
                data = {"confirmed": "yes", "grace": "0", "blocked_too": "on"}
                client.post(f"{rows}{row.pk}/act/{name}/", data)
                answer = client.post(rows, {"action": name, "_selected_action": [row.pk], **data}, follow=True)
                assert "only an admin may touch" in messages(answer), name
        for page in (f"{ACCOUNTS}{chief.pk}/delete/", f"{ACCOUNTS}{chief.pk}/change/"):
            assert client.post(page, {"confirmed": "yes", "username": "x", "new_password": "x"}).status_code == 403
        assert "/act/" not in text(client.get(page_of(chief)))
        assert rows_of(chief) == before
        assert not AuditEntry.objects.exclude(actor=None).exists()

    def test_who_may_only_look_changes_nothing(self, account: Account) -> None:
        helper = Member.objects.create_user("helper", is_staff=True)
        helper.user_permissions.add(Permission.objects.get(codename="view_account"))
        client = Client()
        client.force_login(helper)
        assert "new_password" not in text(client.get(page_of(account)))
        assert press(client, account, "pause").status_code == 403
        assert client.post(page_of(account), {"username": "x"}).status_code == 403

    def test_a_superuser_sees_every_page(self, boss: Client, account: Account) -> None:
        read_only = re.compile(
            r"/(apikey|loginattempt|usagerecord|upstreamsession|invitation|auditentry)/[^/]+/delete/$"
        )
        for page in all_pages(furnished(account)):
            assert boss.get(page, follow=True).status_code == (403 if read_only.search(page) else 200), page


def test_no_secret_is_on_any_page_in_the_history_or_in_a_session(boss: Client) -> None:
    answer = boss.post(f"{ACCOUNTS}add/", FORM)
    key, link = keys_in(answer)[0], links_in(answer)[0]
    account = furnished(Account.objects.get())
    LoginAttempt.objects.filter(ended_at=None).delete()
    boss.post(page_of(account), {"username": "San.Zhang24", "new_password": PASSWORD + "2"})
    issued = keys_in(press(boss, account, "issue_key"))[0]
    account.refresh_from_db()
    secrets = [PASSWORD, key, link, issued, account.password, "v1:", *ApiKey.objects.values_list("digest", flat=True)]
    secrets += Invitation.objects.values_list("digest", flat=True)
    seen = [text(boss.get(page, follow=True)) for page in all_pages(account)]
    seen += [str(row) for row in AuditEntry.objects.values_list()]
    seen += LogEntry.objects.values_list("change_message", flat=True)
    seen += LogEntry.objects.values_list("object_repr", flat=True)
    seen += [str(session.get_decoded()) for session in Session.objects.all()]
    seen += [morsel.value for morsel in boss.cookies.values()]
    assert len(AuditEntry.objects.all()) >= 3
    assert [secret for secret in secrets for each in seen if secret in each] == []


def test_the_site_bears_the_gateways_name(boss: Client) -> None:
    assert "XIPU Gateway" in text(boss.get("/admin/"))
