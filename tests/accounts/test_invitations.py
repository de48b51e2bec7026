"""Invitations: one link, used once, by whom it was made for."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from accounts import crypto
from accounts.invitations import (
    InvitationGone,
    first_admin_make,
    invitation_accept,
    invitation_find,
    invitation_make,
    is_open,
    link,
    needs_first_admin,
)
from accounts.models import Account, Invitation, Member
from accounts.services import account_pause, member_add

pytestmark = pytest.mark.django_db
PASSWORD = "quiet-harbour-7"


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="San.Zhang24")


def test_a_link_is_found_by_its_secret_which_is_not_stored(account: Account) -> None:
    invitation, secret = invitation_make(member=account.member, created_by=None)
    assert invitation_find(secret) == invitation
    assert secret not in str(Invitation.objects.values().get())


def test_accepting_sets_both_passwords(account: Account) -> None:
    invitation, _ = invitation_make(member=account.member, created_by=None)
    member = invitation_accept(invitation=invitation, password=PASSWORD, xjtlu_password="school-secret")
    account.refresh_from_db()
    assert member.check_password(PASSWORD)
    assert crypto.unseal(account, "password") == "school-secret"


def test_a_stored_xjtlu_password_stays_where_none_is_typed() -> None:
    account = member_add(name="alice", xjtlu_username="San.Zhang24", xjtlu_password="stored")
    invitation, _ = invitation_make(member=account.member, created_by=None)
    invitation_accept(invitation=invitation, password=PASSWORD)
    account.refresh_from_db()
    assert crypto.unseal(account, "password") == "stored"


def test_a_link_works_once(account: Account) -> None:
    invitation, _ = invitation_make(member=account.member, created_by=None)
    invitation_accept(invitation=invitation, password=PASSWORD)
    with pytest.raises(InvitationGone):
        invitation_accept(invitation=invitation, password="another-one-8")
    assert Member.objects.get().check_password(PASSWORD)


def test_a_link_expires(account: Account) -> None:
    invitation, _ = invitation_make(member=account.member, created_by=None)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(InvitationGone):
        invitation_accept(invitation=invitation, password=PASSWORD)


def test_a_new_link_ends_the_member_s_older_ones_only(account: Account) -> None:
    other = member_add(name="bob", xjtlu_username="Wei.Li25")
    _, others = invitation_make(member=other.member, created_by=None)
    _, older = invitation_make(member=account.member, created_by=None)
    invitation_make(member=account.member, created_by=None)
    assert invitation_find(older) is None
    assert invitation_find(others) is not None


def test_a_used_link_is_remembered_as_used_after_a_new_one(account: Account) -> None:
    used, secret = invitation_make(member=account.member, created_by=None)
    invitation_accept(invitation=used, password=PASSWORD)
    invitation_make(member=account.member, created_by=None)
    found = invitation_find(secret)
    assert found is not None
    assert found.used_at is not None


@pytest.mark.parametrize("change", [{"is_active": False}, {"leaving_at": timezone.now()}])
def test_who_may_not_sign_in_cannot_use_a_link(account: Account, change: dict[str, object]) -> None:
    Member.objects.update(**change)
    invitation, secret = invitation_make(member=account.member, created_by=None)
    invitation = invitation_find(secret) or invitation
    assert not is_open(invitation)


def test_a_paused_account_s_member_may_still_choose_a_password(account: Account) -> None:
    account_pause(account=account)
    invitation, _ = invitation_make(member=account.member, created_by=None)
    assert is_open(invitation)


def test_the_first_admin_is_made_once() -> None:
    invitation, _ = invitation_make(member=None, created_by=None)
    admin = first_admin_make(invitation=invitation, name="root", email="", password=PASSWORD)
    assert admin.is_superuser
    assert admin.is_staff
    assert not needs_first_admin()
    with pytest.raises(InvitationGone):
        first_admin_make(invitation=invitation, name="other", email="", password=PASSWORD)


def test_a_link_for_the_first_admin_dies_when_there_is_one() -> None:
    invitation, _ = invitation_make(member=None, created_by=None)
    Member.objects.create_superuser("boss", password=PASSWORD)
    with pytest.raises(InvitationGone):
        first_admin_make(invitation=invitation, name="root", email="", password=PASSWORD)


def test_a_member_s_link_makes_no_admin_and_an_admin_s_no_member(account: Account) -> None:
    for_member, _ = invitation_make(member=account.member, created_by=None)
    for_admin, _ = invitation_make(member=None, created_by=None)
    with pytest.raises(InvitationGone):
        first_admin_make(invitation=for_member, name="root", email="", password=PASSWORD)
    with pytest.raises(InvitationGone):
        invitation_accept(invitation=for_admin, password=PASSWORD)


def two_links() -> list[Invitation]:
    """As two starts at one moment leave them: neither saw the other's."""
    fields = {"member": None, "expires_at": timezone.now() + timedelta(days=1)}
    return [Invitation.objects.create(digest=digest, **fields) for digest in ("a" * 64, "b" * 64)]


@pytest.mark.django_db(transaction=True)
def test_two_links_at_one_moment_make_one_first_admin() -> None:
    starting = threading.Barrier(2)
    gone: list[str] = []

    def use(invitation: Invitation, name: str) -> None:
        starting.wait(60)
        try:
            first_admin_make(invitation=invitation, name=name, email="", password=PASSWORD)
        except InvitationGone:
            gone.append(name)
        finally:
            connection.close()

    threads = [threading.Thread(target=use, args=each) for each in zip(two_links(), ("one", "two"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(gone) == 1
    assert Member.objects.filter(is_superuser=True).count() == 1


@pytest.mark.parametrize(
    ("public", "host", "address"),
    [
        ("https://gateway.example.org", "0.0.0.0", "https://gateway.example.org/dashboard/invitation/abc/"),
        ("", "0.0.0.0", "http://127.0.0.1:8123/dashboard/invitation/abc/"),
        ("", "10.0.0.5", "http://10.0.0.5:8123/dashboard/invitation/abc/"),
    ],
)
def test_a_link_s_address_without_a_request(settings: Settings, public: str, host: str, address: str) -> None:
    settings.PUBLIC_URL, settings.GATEWAY_HOST, settings.GATEWAY_PORT = public, host, 8123
    assert link(None, "abc") == address


def test_a_link_s_address_is_where_the_request_came(settings: Settings) -> None:
    settings.PUBLIC_URL = ""
    request = RequestFactory().get("/admin/", headers={"host": "localhost:9000"})
    assert link(request, "abc", page="first_admin") == "http://localhost:9000/dashboard/first-admin/abc/"
