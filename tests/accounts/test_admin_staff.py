"""The admin's pages of members: who is added there, and who lost their second factor."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.invitations import invitation_find, invitation_make
from accounts.models import AuditEntry, Member, SecondFactor
from accounts.services import member_add
from tests.conftest import until

pytestmark = pytest.mark.django_db
MEMBERS = "/admin/accounts/member/"


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


@pytest.fixture
def boss() -> Client:
    return signed_in(Member.objects.create_superuser("boss"))


@pytest.fixture
def helper() -> Client:
    """Staff who may do everything with members, but is no admin."""
    member = Member.objects.create_user("helper", is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename__endswith="_member"))
    return signed_in(member)


def text(client: Client, page: str) -> str:
    return client.get(page).content.decode()


def state_of(client: Client, name: str) -> str:
    """As the list of members tells it."""
    row = text(client, f"{MEMBERS}?q={name}").partition("field-status")[2]
    return str(re.findall(r"badge-\w+\">([^<]+)<", row)[0])


def test_staff_chooses_a_password_by_an_invitation(boss: Client) -> None:
    answer = boss.post(f"{MEMBERS}add/", {"name": "mia", "role": "staff"})
    mia = Member.objects.get(username="mia")
    assert (mia.is_staff, mia.is_superuser, mia.has_usable_password()) == (True, False, False)
    secret = re.findall(r"/dashboard/invitation/([\w-]+)/", answer.content.decode())[0]
    invitation = invitation_find(secret)
    assert invitation is not None
    assert invitation.member == mia


def test_another_admin_is_added(boss: Client) -> None:
    boss.post(f"{MEMBERS}add/", {"name": "mia", "role": "admin"})
    assert Member.objects.get(username="mia").is_superuser


def test_a_taken_name_is_said_in_the_form(boss: Client) -> None:
    assert "exists already" in boss.post(f"{MEMBERS}add/", {"name": "BOSS", "role": "staff"}).content.decode()


def test_only_admins_add_staff(helper: Client) -> None:
    assert helper.get(f"{MEMBERS}add/").status_code == 403


def test_a_link_is_mailed_once_it_is_stored(
    boss: Client, settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.org"
    with django_capture_on_commit_callbacks() as stored:
        answer = boss.post(f"{MEMBERS}add/", {"name": "mia", "email": "mia@example.org", "role": "staff"})
    assert "mailed to mia@example.org" in answer.content.decode()
    assert mail.outbox == []
    for send in stored:
        send()
    until(lambda: mail.outbox, "the mail")


def test_who_was_never_invited_is_not_called_invited(boss: Client) -> None:
    member = member_add(name="zhang", xjtlu_username="San.Zhang24").member
    assert state_of(boss, "zhang") == "has not joined"
    invitation_make(member=member, created_by=None)
    assert state_of(boss, "zhang") == "invited"


def test_an_admin_turns_off_the_second_factor_of_who_lost_it(boss: Client) -> None:
    member = member_add(name="zhang", xjtlu_username="San.Zhang24").member
    page = f"{MEMBERS}{member.pk}/"
    assert "turn_off_second_factor" not in text(boss, f"{page}change/")
    SecondFactor.objects.create(user=member, name="app", confirmed=True)
    assert f"{page}act/turn_off_second_factor/" in text(boss, f"{page}change/")
    boss.post(f"{page}act/turn_off_second_factor/")
    assert not SecondFactor.objects.exists()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["Removed the second factor."]


def test_staff_turns_off_no_admin_s_second_factor(helper: Client) -> None:
    admin = Member.objects.create_superuser("boss")
    SecondFactor.objects.create(user=admin, name="app", confirmed=True)
    helper.post(f"{MEMBERS}{admin.pk}/act/turn_off_second_factor/")
    assert SecondFactor.objects.exists()


def test_the_second_factor_is_turned_off_for_no_crowd(boss: Client) -> None:
    assert 'value="turn_off_second_factor"' not in text(boss, MEMBERS)
