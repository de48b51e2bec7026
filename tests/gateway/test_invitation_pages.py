"""A link is opened, a password chosen, the login runs, the first key is shown once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from accounts import crypto, invitations
from accounts.invitations import invitation_make
from accounts.keys import key_find, key_issue
from accounts.models import Account, ApiKey, AuditEntry, Invitation, LoginBlock, Member
from accounts.second_factor import second_factor_begin
from accounts.services import account_pause, member_add
from gateway import catalogue
from gateway.management import first_admin
from gateway.school.catalog import Model
from tests.conftest import database_url
from tests.processes import ROOT, running
from tokens.models import LoginAttempt, Trigger

pytestmark = pytest.mark.django_db
PASSWORD = "quiet-harbour-7"
ACCEPT, WELCOME = "/dashboard/invitation/", "/dashboard/welcome/"
FIRST_ADMIN = "/dashboard/first-admin/"
CHOICE = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was handed to the broker."""
    names: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, **_: names.append(name))
    return names


@pytest.fixture
def guest() -> Client:
    return Client()


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24")


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def opened(guest: Client, member: Member) -> Any:
    """The page to which a fresh link leads."""
    _, secret = invitation_make(member=member, created_by=None)
    return guest.get(f"{ACCEPT}{secret}/", follow=True)


def test_a_link_leads_away_from_its_secret(guest: Client, account: Account) -> None:
    _, secret = invitation_make(member=account.member, created_by=None)
    answer = guest.get(f"{ACCEPT}{secret}/")
    assert answer.headers["location"] == ACCEPT
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "no-store" in answer.headers["cache-control"]
    assert secret not in str(dict(guest.session))
    assert Invitation.objects.get().used_at is None


def test_the_invited_chooses_a_password_and_the_login_starts(guest: Client, account: Account) -> None:
    page = opened(guest, account.member)
    assert "San.Zhang24" in text(page)
    assert "no-store" in page.headers["cache-control"]
    answer = guest.post(ACCEPT, {**CHOICE, "xjtlu_password": "school-secret"})
    assert answer.headers["location"] == WELCOME
    account.refresh_from_db()
    assert crypto.unseal(account, "password") == "school-secret"
    assert account.member.check_password(PASSWORD)
    assert LoginAttempt.objects.get().account == account
    assert AuditEntry.objects.get().action == "Accepted an invitation."
    assert guest.get("/dashboard/settings/").status_code == 200


def test_the_xjtlu_password_is_asked_only_where_none_good_is_stored(guest: Client) -> None:
    account = member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="stored")
    assert "xjtlu_password" not in text(opened(guest, account.member))
    Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD)
    assert "the school refused the stored one" in text(opened(guest, account.member))


def test_a_member_without_account_is_led_to_the_overview(guest: Client) -> None:
    opened(guest, Member.objects.create_user("staff"))
    answer = guest.post(ACCEPT, CHOICE)
    assert answer.headers["location"] == WELCOME
    assert guest.get(WELCOME).headers["location"] == "/dashboard/"


def test_a_poor_password_is_refused_and_the_link_stays_good(guest: Client, account: Account) -> None:
    opened(guest, account.member)
    answer = guest.post(ACCEPT, {"new_password1": "password", "new_password2": "password"})
    assert answer.status_code == 200
    assert 'class="error"' in text(answer)
    assert guest.post(ACCEPT, CHOICE).status_code == 302


def test_a_link_that_is_sent_twice_is_used_once(guest: Client, account: Account) -> None:
    opened(guest, account.member)
    other = Client()
    other.cookies.load(guest.cookies.output(header=""))
    guest.post(ACCEPT, CHOICE)
    assert other.post(ACCEPT, {"new_password1": "other-river-9", "new_password2": "other-river-9"}).status_code == 404
    assert Member.objects.get().check_password(PASSWORD)


def test_an_unknown_link_says_what_to_do(guest: Client) -> None:
    answer = guest.get(f"{ACCEPT}unknown/")
    assert answer.status_code == 404
    assert "admin for a fresh link." in text(answer)


def test_an_expired_link_says_what_to_do(guest: Client, account: Account) -> None:
    _, secret = invitation_make(member=account.member, created_by=None)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    answer = guest.get(f"{ACCEPT}{secret}/")
    assert answer.status_code == 410
    assert "It is too old" in text(answer)


def test_a_used_link_says_that_a_password_was_chosen(guest: Client, account: Account) -> None:
    invitation, secret = invitation_make(member=account.member, created_by=None)
    invitations.invitation_accept(invitation=invitation, password=PASSWORD)
    answer = guest.get(f"{ACCEPT}{secret}/")
    assert answer.status_code == 410
    assert "a password has been chosen with it" in text(answer)


def test_a_link_for_one_is_none_for_the_other(guest: Client, account: Account) -> None:
    _, for_member = invitation_make(member=account.member, created_by=None)
    _, for_admin = invitation_make(member=None, created_by=None)
    assert guest.get(f"{FIRST_ADMIN}{for_member}/").status_code == 404
    assert guest.get(f"{ACCEPT}{for_admin}/").status_code == 404


def test_a_link_does_not_stand_in_for_the_second_factor(guest: Client, account: Account) -> None:
    factor = second_factor_begin(member=account.member)
    type(factor).objects.update(confirmed=True)
    opened(guest, account.member)
    guest.post(ACCEPT, CHOICE)
    assert guest.get(WELCOME).headers["location"].startswith("/dashboard/second-factor/?next=")


def test_a_paused_account_s_member_is_told_why_no_login_runs(guest: Client, account: Account) -> None:
    account_pause(account=account)
    opened(guest, account.member)
    answer = guest.post(ACCEPT, {**CHOICE, "xjtlu_password": "school-secret"}, follow=True)
    assert "paused" in text(answer)


# The first key


@pytest.fixture
def member(guest: Client, account: Account) -> Member:
    guest.force_login(account.member)
    return account.member


def first_key(guest: Client, number: str, client: str = "cherry-studio") -> Any:
    return guest.post(WELCOME, {"once": number, "client": client}, follow=True)


def number_on(page: Any) -> str:
    return str(re.findall(r'name="once" value="([^"]+)"', text(page))[0])


def test_the_first_key_is_shown_once_with_the_card_of_the_client(guest: Client, member: Member) -> None:
    number = number_on(guest.get(WELCOME))
    page = first_key(guest, number)
    shown = set(re.findall(r"xg-[0-9a-f]{10}-[0-9a-f]{48}", text(page)))
    key = key_find(shown.pop())
    assert key is not None
    assert (key.member, key.name, len(shown)) == (member, "Cherry Studio", 0)
    assert "API Host" in text(page)
    assert "no-store" in page.headers["cache-control"]
    assert not re.search(r"xg-[0-9a-f]{10}-[0-9a-f]{48}", text(first_key(guest, number)))
    assert ApiKey.objects.count() == 1


def test_who_has_a_key_is_led_to_it(guest: Client, member: Member) -> None:
    key_issue(member=member)
    page = text(guest.get(WELCOME))
    assert "You have an API key already." in page
    assert 'name="client"' not in page


@pytest.mark.parametrize(
    ("block", "shown"),
    [(LoginBlock.WRONG_PASSWORD, "Store and log in"), (LoginBlock.NEEDS_YOU, "Open the live login")],
)
def test_a_first_login_that_ended_badly_is_mended_right_there(
    guest: Client, member: Member, block: LoginBlock, shown: str
) -> None:
    attempt = LoginAttempt.objects.create(account=member.account, trigger=Trigger.PERSON)
    assert shown not in text(guest.get(WELCOME))
    attempt.delete()
    Account.objects.update(login_block=block)
    assert shown in text(guest.get(WELCOME))


def test_the_first_card_gets_its_model_once_one_is_known(guest: Client, member: Member) -> None:
    page = text(first_key(guest, number_on(guest.get(WELCOME))))
    assert f'data-model-at="{WELCOME}model/"' in page
    assert guest.get(f"{WELCOME}model/").json() == {"model": ""}
    catalogue.store(member.account.pk, [Model(id="qwen", label="Qwen")])
    assert guest.get(f"{WELCOME}model/").json() == {"model": "qwen"}


def test_an_unknown_client_gets_no_key(guest: Client, member: Member) -> None:
    first_key(guest, number_on(guest.get(WELCOME)), client="unknown")
    assert not ApiKey.objects.exists()


# The first admin


def test_the_first_admin_is_signed_in_and_led_to_the_administration(guest: Client) -> None:
    guest.get(f"{FIRST_ADMIN}{first_admin.fresh_secret()}/")
    answer = guest.post(FIRST_ADMIN, {"username": "root", "email": "", "password": PASSWORD, "again": PASSWORD})
    assert answer.headers["location"] == "/admin/"
    assert guest.get("/admin/").status_code == 200
    assert Member.objects.get().is_superuser


@pytest.mark.parametrize(
    "wrong", [{"again": "other"}, {"username": "no spaces"}, {"password": "12345678", "again": "12345678"}]
)
def test_a_wrong_form_makes_no_admin(guest: Client, wrong: dict[str, str]) -> None:
    guest.get(f"{FIRST_ADMIN}{first_admin.fresh_secret()}/")
    answer = guest.post(FIRST_ADMIN, {"username": "root", "password": PASSWORD, "again": PASSWORD, **wrong})
    assert answer.status_code == 200
    assert not Member.objects.exists()


def test_a_name_that_is_taken_is_refused(guest: Client) -> None:
    Member.objects.create_user("root")
    guest.get(f"{FIRST_ADMIN}{first_admin.fresh_secret()}/")
    answer = guest.post(FIRST_ADMIN, {"username": "root", "password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 200
    assert not Member.objects.filter(is_superuser=True).exists()


def test_each_start_s_link_replaces_the_one_before(guest: Client) -> None:
    older, newer = first_admin.fresh_secret(), first_admin.fresh_secret()
    assert guest.get(f"{FIRST_ADMIN}{older}/").status_code == 404
    assert guest.get(f"{FIRST_ADMIN}{newer}/").status_code == 302


def test_with_an_admin_no_link_is_made_and_an_older_one_says_so(guest: Client) -> None:
    secret = first_admin.fresh_secret()
    Member.objects.create_superuser("boss", password=PASSWORD)
    assert first_admin.fresh_secret() == ""
    answer = guest.get(f"{FIRST_ADMIN}{secret}/")
    assert answer.status_code == 410
    assert "This gateway has an admin already." in text(answer)


def test_a_database_that_is_away_does_not_keep_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> bool:
        raise OperationalError

    monkeypatch.setattr(first_admin, "needs_first_admin", away)
    assert first_admin.fresh_secret() == ""


@pytest.mark.django_db(transaction=True)
def test_the_first_start_prints_a_link_that_works_there(tmp_path: Path) -> None:
    env = {"DJANGO_SETTINGS_MODULE": "gateway.settings", "DATABASE_URL": database_url()}
    with running("manage.py", "serve", "--port", "0", log=tmp_path / "log", env=env) as process:
        address = process.wait_for_line("  http://127.0.0.1:").strip()
        page = httpx.get(address, trust_env=False, follow_redirects=True, timeout=30)
    assert page.status_code == 200
    assert "Become the first admin" in page.text


# Logs

PROGRAM = """
import django; django.setup()
from django.test import Client
for place in ("invitation", "first-admin", "password-reset/Mg"):
    Client(raise_request_exception=False).get(f"/dashboard/{place}/SECRET/", HTTP_HOST="localhost")
"""


def test_a_link_s_secret_reaches_no_log() -> None:
    """The process has a database without tables: each page fails, and Django logs its address."""
    secret = "Zk3-_x9QmWq2Lr7TtYv5Bn8HsDf1GjKp"
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "GATEWAY_LOG_LEVEL": "debug"}
    program = [sys.executable, "-c", PROGRAM.replace("SECRET", secret)]
    log = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stderr
    assert log.count("/[secret]/") == 3
    assert secret not in log


# The command


def test_the_command_prints_a_link_that_works(guest: Client, account: Account) -> None:
    out = StringIO()
    call_command("invite", "alice", "--json", stdout=out)
    address = json.loads(out.getvalue())["link"]
    assert guest.get(urlsplit(address).path).headers["location"] == ACCEPT
    assert AuditEntry.objects.get().actor_name == "manage.py invite"


@pytest.mark.parametrize("change", [{"is_active": False}, {"username": "other"}])
def test_the_command_invites_nobody_who_may_not_sign_in(account: Account, change: dict[str, object]) -> None:
    Member.objects.update(**change)
    with pytest.raises(CommandError, match="no member 'alice' who may sign in"):
        call_command("invite", "alice")
