"""The import of a CSV file in the admin: upload, look, confirm."""

from __future__ import annotations

import re
import time
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
    return client.post(IMPORT, {"file": SimpleUploadedFile("members.csv", raw), "give": give})


def confirm(client: Client, page: Any) -> Any:
    """Press the button of the page with the look."""
    return client.post(CHECK, {"members_to_import": page.context["sealed"]}, follow=True)


def test_the_look_at_the_file_tells_each_line_and_no_password(boss: Client) -> None:
    page = text(upload(boss))
    for part in ("San.Zhang24", "Si.Li23", "Name: Enter a valid username.", "new member", "Add 2 members"):
        assert part in page
    assert PASSWORD not in page
    assert not Account.objects.exists()


def test_it_says_what_would_happen_in_all_and_for_each_line(boss: Client) -> None:
    member_add(name="wu", xjtlu_username="Wu.Da24")
    plan = upload(boss, f"{CSV}wu,Wu.Da24,other,\n").context["plan"]
    assert plan.summary == [
        "2 members are added.",
        "Each gets an invitation link: 0 by mail, 2 for you to hand over.",
        "1 has a password and logs in at the school at once.",
        "1 exists already and stays as it is.",
        "1 line with an error is left out: correct it and import the file again.",
        "Nothing has been written yet.",
    ]
    link = "Gets an invitation link, which you hand over: no e-mail address."
    assert [planned.follows for planned in plan.lines] == [
        [link, "Logs in at once."],
        [link],
        [plan.lines[2].line.problem],
        ["Stays as it is; the password given here is ignored."],
    ]


@pytest.mark.parametrize(
    ("give", "said"),
    [("invitation", "Gets an invitation link by mail."), ("key", "Gets an API key, which you hand over.")],
)
def test_it_says_who_gets_what(boss: Client, settings: Any, give: str, said: str) -> None:
    settings.EMAIL_URL = "smtp://localhost:1"
    assert said in text(upload(boss, "name,xjtlu_username,email\nsan,San.Zhang24,san@example.org\n", give))


def test_nothing_of_the_file_is_kept_in_the_session(boss: Client) -> None:
    upload(boss)
    assert "sealed" not in str(Session.objects.get().get_decoded())
    assert PASSWORD not in str(Session.objects.get().get_decoded())


def test_confirmed_lines_become_members_with_links(boss: Client) -> None:
    answer = confirm(boss, upload(boss))
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
    confirm(boss, upload(boss, give=give))
    assert (ApiKey.objects.count(), Invitation.objects.count()) == (keys, invitations)


@pytest.mark.parametrize("give", ["key", "invitation"])
def test_new_members_get_nothing_that_this_person_may_not_give(give: str) -> None:
    helper = Member.objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="add_account"))
    client = Client()
    client.force_login(helper)
    assert "Select a valid choice" in text(upload(client, give=give))


def test_each_import_is_in_the_audit(boss: Client) -> None:
    confirm(boss, upload(boss, give="nothing"))
    found = AuditEntry.objects.values_list("action", "target_name")
    assert set(found) == {("Imported from a file.", "San.Zhang24"), ("Imported from a file.", "Si.Li23")}


def test_the_same_confirmation_sent_again_adds_nobody(boss: Client) -> None:
    page = upload(boss)
    confirm(boss, page)
    assert "This form was sent before" in text(confirm(boss, page))
    assert Account.objects.count() == 2


def test_who_was_added_meanwhile_is_left_as_they_are(boss: Client) -> None:
    page = upload(boss)
    member_add(name="san", xjtlu_username="San.Zhang24")
    confirm(boss, page)
    assert not Account.objects.get(username="San.Zhang24").has_password
    assert Account.objects.count() == 2


def test_another_person_cannot_open_the_sealed_file(boss: Client) -> None:
    stranger = Client()
    stranger.force_login(Member.objects.create_superuser("other"))
    assert "Choose it again" in text(confirm(stranger, upload(boss)))
    assert not Account.objects.exists()


def test_after_fifteen_minutes_the_file_has_to_be_chosen_again(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page = upload(boss)
    now = time.time()
    monkeypatch.setattr("accounts.admin.imports.time.time", lambda: now + 15 * 60 + 1)
    assert "Choose it again" in text(confirm(boss, page))
    assert not Account.objects.exists()


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
