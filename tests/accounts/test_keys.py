"""API keys: shown once, stored as a hash."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.keys import key_find, key_issue, key_note_use, key_revoke
from accounts.models import ApiKey, Member

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    return Member.objects.create(username="alice")


def test_a_key_has_at_least_160_bits_of_randomness(member: Member) -> None:
    start, _, secret = key_issue(member=member)[1].split("-")
    assert start == "xg"
    assert len(bytes.fromhex(secret)) * 8 >= 160


def test_a_key_is_found_by_its_text(member: Member) -> None:
    key, text = key_issue(member=member)
    assert key_find(text) == key


def test_a_keys_text_is_nowhere_in_its_row(member: Member) -> None:
    key, text = key_issue(member=member)
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert text.split("-")[2] not in str(row)


@pytest.mark.parametrize("text", ["", "xg-", "xg--", "xg-x-y", "sk-123", "xg-0-0-0", "\x00"])
def test_a_text_that_is_no_key_finds_none(member: Member, text: str) -> None:
    key_issue(member=member)
    assert key_find(text) is None


def test_a_right_prefix_with_a_wrong_secret_finds_none(member: Member) -> None:
    _, text = key_issue(member=member)
    assert key_find(text[:-1] + ("0" if text[-1] != "0" else "1")) is None


def test_a_revoked_key_stays_revoked_since_the_first_time(member: Member) -> None:
    key, _ = key_issue(member=member)
    key_revoke(key=key)
    first = ApiKey.objects.get().revoked_at
    key_revoke(key=key)
    assert ApiKey.objects.get().revoked_at == first
    assert not ApiKey.objects.get().is_live


def test_an_expired_key_is_not_live(member: Member) -> None:
    key, _ = key_issue(member=member, expires_at=timezone.now() - timedelta(seconds=1))
    assert not key.is_live


def test_use_is_noted_at_most_once_a_minute(member: Member) -> None:
    key, _ = key_issue(member=member)
    key_note_use(key=key)
    first = ApiKey.objects.get().last_used_at
    key_note_use(key=key)
    assert ApiKey.objects.get().last_used_at == first
