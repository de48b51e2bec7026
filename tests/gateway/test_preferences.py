"""What members set for themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry, Member

pytestmark = pytest.mark.django_db
PASSWORD, OTHER = "quiet-harbour-7", "loud-mountain-8"
SETTINGS = "/dashboard/settings/"


@pytest.fixture
def alice() -> Member:
    return Member.objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def guest(alice: Member) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def save(guest: Client, form: str, **data: str) -> str:
    answer: Any = guest.post(SETTINGS, {"form": form, **data}, follow=True)
    return " ".join(answer.content.decode().split())


def test_name_and_time_zone_are_kept(guest: Client, alice: Member) -> None:
    assert "Saved." in save(guest, "profile", display_name="Alice L.", time_zone="Europe/Berlin")
    alice.refresh_from_db()
    assert (alice.get_short_name(), alice.time_zone) == ("Alice L.", "Europe/Berlin")
    assert AuditEntry.objects.get().action == "Changed own profile."


def test_the_time_zone_may_be_the_browser_s(guest: Client, alice: Member) -> None:
    Member.objects.update(time_zone="Europe/Berlin")
    save(guest, "profile", time_zone="browser")
    alice.refresh_from_db()
    assert alice.time_zone == ""


def test_a_time_zone_that_is_none_is_refused(guest: Client, alice: Member) -> None:
    assert 'class="error"' in save(guest, "profile", time_zone="Mars/Olympus")
    alice.refresh_from_db()
    assert alice.time_zone == ""


def test_another_address_takes_the_password(guest: Client, alice: Member) -> None:
    assert "This is not your password." in save(guest, "email", email="eve@example.org", password=OTHER)
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    save(guest, "email", email="new@example.org", password=PASSWORD)
    alice.refresh_from_db()
    assert alice.email == "new@example.org"


def test_a_new_password_signs_other_browsers_out_and_not_this_one(guest: Client, alice: Member) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    save(guest, "password", old_password=PASSWORD, new_password1=OTHER, new_password2=OTHER)
    alice.refresh_from_db()
    assert alice.check_password(OTHER)
    assert guest.get(SETTINGS).status_code == 200
    assert elsewhere.get(SETTINGS).status_code == 302


@pytest.mark.parametrize(
    "wrong",
    [{"old_password": OTHER}, {"new_password2": "different-9"}, {"new_password1": "alice", "new_password2": "alice"}],
)
def test_a_password_is_changed_only_by_the_right_form(guest: Client, alice: Member, wrong: dict[str, str]) -> None:
    page = save(
        guest, "password", **{"old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER, **wrong}
    )
    assert 'class="error"' in page
    assert OTHER not in page
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
