"""The import of a CSV file in the admin: upload, look, confirm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import crypto, importing
from accounts.invitations import invitation_find
from accounts.models import Account, ApiKey, AuditEntry, Invitation, Member
from accounts.services import member_add
from tokens.models import LoginAttempt

pytestmark = pytest.mark.django_db
IMPORT = "/admin/accounts/account/import/"
CHECK = f"{IMPORT}check/"
PASSWORD = "known-Secret-77"
CSV = f"name,xjtlu_username,xjtlu_password,email\nsan,San.Zhang24,{PASSWORD},\nsi,Si.Li23,,\nnot a name!,Wu,,\n"
LINK = re.compile(r"/dashboard/invitation/([\w-]+)/")


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def upload(client: Client, content: str | bytes = CSV, give: str = "invitation") -> Any:
    raw = content.encode() if isinstance(content, str) else content
    return client.post(IMPORT, {"file": SimpleUploadedFile("members.csv", raw), "give": give}, follow=True)


def test_the_look_at_the_file_tells_each_line_and_no_password(boss: Client) -> None:
    page = text(upload(boss))
    for part in ("San.Zhang24", "Si.Li23", "Enter a valid username.", "new member", "Add 2 members"):
        assert part in page
    assert PASSWORD not in page
    assert not Account.objects.exists()


def test_the_file_is_sealed_between_the_steps_and_then_gone(boss: Client) -> None:
    upload(boss)
    assert PASSWORD not in str(Session.objects.get().get_decoded())
    assert "sealed" in str(Session.objects.get().get_decoded())
    boss.post(CHECK)
    assert "sealed" not in str(Session.objects.get().get_decoded())


def test_confirmed_lines_become_members_with_links(boss: Client) -> None:
    upload(boss)
    answer = boss.post(CHECK)
    members = {
        found.member.username
        for each in LINK.findall(text(answer))
        if (found := invitation_find(each)) and found.member
    }
    assert members == {"san", "si"}
    assert crypto.unseal(Account.objects.get(username="San.Zhang24"), "password") == PASSWORD
    assert LoginAttempt.objects.get().account.username == "San.Zhang24"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(("give", "keys", "invitations"), [("key", 2, 0), ("invitation", 0, 2), ("nothing", 0, 0)])
def test_new_members_get_what_was_chosen(boss: Client, give: str, keys: int, invitations: int) -> None:
    upload(boss, give=give)
    boss.post(CHECK)
    assert (ApiKey.objects.count(), Invitation.objects.count()) == (keys, invitations)


def test_each_import_is_in_the_audit(boss: Client) -> None:
    upload(boss, give="nothing")
    boss.post(CHECK)
    found = AuditEntry.objects.values_list("action", "target_name")
    assert set(found) == {("Imported from a file.", "San.Zhang24"), ("Imported from a file.", "Si.Li23")}


def test_the_same_confirmation_sent_again_adds_nobody(boss: Client) -> None:
    upload(boss)
    boss.post(CHECK)
    answer = boss.post(CHECK, follow=True)
    assert "Choose it again" in text(answer)
    assert Account.objects.count() == 2


def test_who_was_added_meanwhile_is_left_as_they_are(boss: Client) -> None:
    upload(boss)
    member_add(name="san", xjtlu_username="San.Zhang24")
    boss.post(CHECK)
    assert not Account.objects.get(username="San.Zhang24").has_password
    assert Account.objects.count() == 2


def test_another_person_cannot_open_the_sealed_file(boss: Client) -> None:
    upload(boss)
    other = Member.objects.create_superuser("other")
    stranger = Client()
    stranger.force_login(other)
    session, stolen = stranger.session, boss.session["members_to_import"]
    session["members_to_import"] = stolen
    session.save()
    assert "Choose it again" in text(stranger.get(CHECK, follow=True))


@pytest.mark.parametrize(
    ("content", "problem"),
    [("user\nx\n", "missing"), (b"name,xjtlu_username\n\xff,a\n", "UTF-8"), ("x" * 600_000, "larger")],
)
def test_a_file_that_cannot_be_read_says_why(boss: Client, content: str | bytes, problem: str) -> None:
    assert problem in text(upload(boss, content))


def test_the_sample_can_be_downloaded(boss: Client) -> None:
    assert text(boss.get(f"{IMPORT}sample.csv")) == importing.SAMPLE


@pytest.mark.parametrize("page", ["", "check/", "sample.csv"])
def test_it_needs_the_permission_to_add(page: str) -> None:
    helper = Member.objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_account"))
    client = Client()
    client.force_login(helper)
    assert client.get(f"{IMPORT}{page}").status_code == 403
    assert client.post(f"{IMPORT}{page}").status_code == 403
