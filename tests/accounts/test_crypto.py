"""Secrets at rest: sealed, bound to their row, openable while keys rotate."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts import crypto
from accounts.models import Account
from accounts.services import member_add

pytestmark = pytest.mark.django_db


@pytest.fixture
def key_file(settings: Settings, tmp_path: Path) -> Path:
    settings.ENCRYPTION_KEYS_FILE = str(tmp_path / "encryption_keys")
    return tmp_path / "encryption_keys"


@pytest.fixture
def account(key_file: Path) -> Account:
    return member_add(name="alice", xjtlu_username="A.Li20", xjtlu_password="hunter-22")


def test_a_password_comes_back(account: Account) -> None:
    assert crypto.unseal(account, "password") == "hunter-22"


def test_a_stored_password_is_not_readable(account: Account) -> None:
    assert "hunter" not in account.password
    assert account.password.startswith("v1:")


def test_nothing_stays_nothing(account: Account) -> None:
    assert crypto.seal(account, "password", "") == ""
    assert crypto.unseal(Account(), "password") == ""


def test_the_same_text_is_sealed_differently_each_time(account: Account) -> None:
    assert crypto.seal(account, "password", "x") != crypto.seal(account, "password", "x")


def test_a_ciphertext_that_was_moved_to_another_row_does_not_open(account: Account) -> None:
    thief = member_add(name="bob", xjtlu_username="B.Li20")
    thief.password = account.password
    with pytest.raises(crypto.CannotUnseal):
        crypto.unseal(thief, "password")


def test_a_ciphertext_that_was_moved_to_another_field_does_not_open(account: Account) -> None:
    account.sign_on_cookies = account.password
    with pytest.raises(crypto.CannotUnseal):
        crypto.unseal(account, "sign_on_cookies")


@pytest.mark.parametrize("damage", ["v1:zz", "v1:00000000:AAAA", "plain", "v1:00000000:*"])
def test_a_damaged_value_is_a_clear_error(account: Account, damage: str) -> None:
    account.password = damage
    with pytest.raises(crypto.CannotUnseal) as error:
        crypto.unseal(account, "password")
    assert damage not in str(error.value)


def test_a_generated_key_file_is_readable_by_its_owner_alone(account: Account, key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_old_keys_stay_readable_and_new_values_take_the_newest(account: Account) -> None:
    old = account.password
    crypto.add_key()
    assert crypto.unseal(account, "password") == "hunter-22"
    assert not crypto.is_current(old)
    assert crypto.is_current(crypto.seal(account, "password", "x"))


def test_rotation_seals_everything_anew_and_old_keys_can_go(account: Account) -> None:
    call_command("rotate_encryption_keys", "--forget-old-keys", stdout=StringIO())
    account.refresh_from_db()
    assert crypto.is_current(account.password)
    assert len(crypto.key_ids()) == 1
    assert crypto.unseal(account, "password") == "hunter-22"


def test_rotation_keeps_old_keys_for_backups(account: Account) -> None:
    call_command("rotate_encryption_keys", stdout=StringIO())
    assert len(crypto.key_ids()) == 2


def test_keys_of_the_environment_are_rotated_there(account: Account, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = crypto.make_key()
    with pytest.raises(CommandError, match="GATEWAY_ENCRYPTION_KEYS"):
        call_command("rotate_encryption_keys", stdout=StringIO())


def test_keys_of_the_environment_rotate_without_a_new_one(account: Account, settings: Settings, key_file: Path) -> None:
    settings.ENCRYPTION_KEYS = f"{crypto.make_key()},{key_file.read_text().strip()}"
    call_command("rotate_encryption_keys", "--no-new-key", stdout=StringIO())
    account.refresh_from_db()
    assert crypto.is_current(account.password)


@pytest.mark.parametrize("keys", ["short", "!!!", ","])
def test_bad_keys_fail_loudly_and_are_not_shown(settings: Settings, keys: str) -> None:
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured) as error:
        crypto.key_ids()
    assert "GATEWAY_ENCRYPTION_KEYS" in str(error.value)
    assert "short" not in str(error.value)
