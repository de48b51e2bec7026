"""The audit tells who, what, to whom and from where."""

from __future__ import annotations

import pytest

from accounts import audit
from accounts.keys import key_issue
from accounts.models import AuditEntry, Member

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Member:
    return Member.objects.create_user("alice")


def test_an_entry_names_actor_action_target_and_address(alice: Member) -> None:
    key, _ = key_issue(member=alice, name="laptop")
    audit.note(actor=alice, action="Revoked.", target=key, address="192.0.2.7")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_name, entry.address) == (alice, "alice", "192.0.2.7")
    assert (entry.action, entry.target_kind, entry.target_id) == ("Revoked.", "apikey", str(key.pk))
    assert entry.target_name.startswith("laptop (xg-")


def test_an_entry_names_the_member_whose_key_it_is_also_when_they_are_gone(alice: Member) -> None:
    audit.note(actor=None, action="Revoked.", target=key_issue(member=alice)[0])
    assert (AuditEntry.objects.get().member, AuditEntry.objects.get().member_name) == (alice, "alice")
    alice.delete()
    assert (AuditEntry.objects.get().member, AuditEntry.objects.get().member_name) == (None, "alice")


def test_old_and_new_values_are_told_only_of_what_may_be_told(alice: Member) -> None:
    key, _ = key_issue(member=alice, name="laptop")
    after = {"name": "phone", "requests_per_day": 5, "allowed_models": [], "digest": "x"}
    assert audit.changes_of(key, after) == [("name", "laptop", "phone"), ("requests_per_day", None, 5)]
    assert audit.changes_of(alice, {"password": "x", "email": "x@example.org"}) == []


def test_the_actor_s_name_stays_when_the_member_is_gone(alice: Member) -> None:
    audit.note(actor=alice, action="Changed.", target=alice)
    alice.delete()
    entry = AuditEntry.objects.get()
    assert entry.actor is None
    assert (entry.actor_name, entry.target_name) == ("alice", "alice")


@pytest.mark.parametrize(("given", "written"), [("remove_member", "remove_member"), ("", "system")])
def test_a_command_has_a_name_and_no_member(alice: Member, given: str, written: str) -> None:
    assert audit.note(actor=None, actor_name=given, action="Removed.", target=alice).actor_name == written


def test_what_is_too_long_for_its_column_is_cut(alice: Member) -> None:
    assert len(audit.note(actor=alice, action="x" * 500, target=alice).action) == 200
