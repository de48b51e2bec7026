"""API keys: shown once, stored as a hash."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.keys import (
    MAX_LIVE_KEYS,
    KeyRefused,
    KeySettings,
    key_change,
    key_find,
    key_issue,
    key_note_use,
    key_revoke,
    key_rotate,
)
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


def test_use_from_another_address_is_noted_at_once(member: Member) -> None:
    key, _ = key_issue(member=member)
    key_note_use(key=key, address="192.0.2.1")
    key_note_use(key=ApiKey.objects.get(), address="2001:db8::7")
    assert ApiKey.objects.get().last_used_from == "2001:db8::7"


LIMITS: KeySettings = {
    "allowed_models": ["a", "b"],
    "allowed_networks": ["10.0.0.0/8"],
    "requests_per_minute": 3,
    "requests_per_day": 40,
    "web_search": True,
    "fold_reasoning": True,
    "may_manage": True,
}


def settings_of(key: ApiKey) -> dict[str, object]:
    return dict(ApiKey.objects.filter(pk=key.pk).values(*LIMITS).get())


def test_a_key_keeps_the_settings_that_it_was_issued_with(member: Member) -> None:
    assert settings_of(key_issue(member=member, **LIMITS)[0]) == LIMITS


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (["192.0.2.7"], ["192.0.2.7/32"]),
        (["10.1.2.3/8", " 10.0.0.0/8 ", ""], ["10.0.0.0/8"]),
        (["2001:db8::1"], ["2001:db8::1/128"]),
    ],
)
def test_networks_are_stored_in_one_form(member: Member, written: list[str], stored: list[str]) -> None:
    assert key_issue(member=member, allowed_networks=written)[0].allowed_networks == stored


@pytest.mark.parametrize("text", ["home", "10.0.0.0/33", "10.0.0", "1.2.3.4-1.2.3.9"])
def test_what_is_no_network_is_refused_by_its_name(member: Member, text: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(text)):
        key_issue(member=member, allowed_networks=["10.0.0.0/8", text])


def test_a_rotated_key_hands_its_name_and_settings_to_the_new_one(member: Member) -> None:
    old, _ = key_issue(member=member, name="laptop", **LIMITS)
    new, text = key_rotate(key=old, grace=timedelta(hours=1))
    assert (new.name, new.replaces, settings_of(new)) == ("laptop", old, LIMITS)
    assert key_find(text) == new


@pytest.mark.parametrize(("grace", "works"), [(timedelta(), False), (timedelta(hours=1), True)])
def test_the_old_key_works_until_the_grace_is_over(member: Member, grace: timedelta, works: bool) -> None:
    old, text = key_issue(member=member)
    new, _ = key_rotate(key=old, grace=grace)
    assert key_find(text).is_live == works  # type: ignore[union-attr]
    assert new.is_live


def test_the_old_key_never_works_longer_than_it_would_have(member: Member) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    old, _ = key_issue(member=member, expires_at=soon)
    new, _ = key_rotate(key=old, grace=timedelta(days=7))
    assert ApiKey.objects.get(pk=old.pk).expires_at == soon
    assert new.expires_at is not None
    assert new.expires_at > soon


def test_a_key_that_works_no_more_is_not_rotated(member: Member) -> None:
    revoked, _ = key_issue(member=member)
    key_revoke(key=revoked)
    expired, _ = key_issue(member=member, expires_at=timezone.now())
    for key in (revoked, expired):
        with pytest.raises(KeyRefused):
            key_rotate(key=key, grace=timedelta())
    assert ApiKey.objects.count() == 2


def test_a_key_is_rotated_once_unless_its_replacement_is_gone(member: Member) -> None:
    old, _ = key_issue(member=member)
    new, _ = key_rotate(key=old, grace=timedelta(hours=1))
    with pytest.raises(KeyRefused):
        key_rotate(key=old, grace=timedelta(hours=1))
    key_revoke(key=new)
    assert key_rotate(key=old, grace=timedelta(hours=1))[0].is_live


def test_a_change_touches_only_what_it_names(member: Member) -> None:
    key, _ = key_issue(member=member, name="laptop", **LIMITS)
    key_change(key=key, name="desk", requests_per_day=None)
    assert settings_of(key) == {**LIMITS, "requests_per_day": None}
    assert ApiKey.objects.get().name == "desk"


def test_a_member_has_a_bounded_number_of_keys_that_work(member: Member) -> None:
    ApiKey.objects.bulk_create(
        ApiKey(member=member, prefix=f"p{each}", digest="0" * 64) for each in range(MAX_LIVE_KEYS)
    )
    with pytest.raises(KeyRefused):
        key_issue(member=member)
    key_revoke(key=ApiKey.objects.all()[0])
    assert key_issue(member=member)[0].is_live
