"""The second factor: codes of the app work once and soon, recovery codes once, wrong ones cost time."""

from __future__ import annotations

import time
from base64 import b32decode
from datetime import timedelta
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import django_otp
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.utils import timezone
from django_otp.oath import TOTP
from pytest_django import Settings

from accounts import second_factor as service
from accounts.models import Member, RecoveryCode, SecondFactor
from accounts.second_factor import TryLater, WrongCode

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_step")]


@pytest.fixture
def alice() -> Member:
    return Member.objects.create_user("alice", password="quiet-harbour-7")


def code_of(factor: SecondFactor, steps: int = 0) -> str:
    """What the app shows, that many steps from now."""
    app = TOTP(b32decode(service.secret_of(factor)))
    app.time = time.time() + 30 * steps
    return f"{app.token():06d}"


def wrong(factor: SecondFactor) -> str:
    near = {code_of(factor, steps) for steps in range(-3, 4)}
    return next(code for code in (f"{n:06d}" for n in range(10)) if code not in near)


def set_up(member: Member) -> tuple[SecondFactor, list[str]]:
    """Confirmed by the code of the step before, so that the code of now is new."""
    factor = service.second_factor_begin(member=member)
    codes = service.second_factor_confirm(factor=factor, code=code_of(factor, -1))
    return SecondFactor.objects.get(), codes


def test_the_secret_is_sealed_and_the_same_while_it_is_set_up(alice: Member) -> None:
    factor = service.second_factor_begin(member=alice)
    again = service.second_factor_begin(member=alice)
    assert service.secret_of(again) == service.secret_of(factor)
    assert len(service.secret_of(factor)) == 32
    assert service.secret_of(factor) not in str(SecondFactor.objects.values().get())


def test_a_set_up_that_was_left_begins_anew_with_another_secret(alice: Member) -> None:
    secret = service.secret_of(service.second_factor_begin(member=alice))
    SecondFactor.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert service.secret_of(service.second_factor_begin(member=alice)) != secret


def test_what_the_qr_code_says(alice: Member) -> None:
    factor = service.second_factor_begin(member=alice)
    address = urlsplit(service.set_up_address(factor))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/XIPU%20Gateway%3Aalice")
    assert parse_qs(address.query) == {"secret": [service.secret_of(factor)], "issuer": ["XIPU Gateway"]}


def test_it_is_on_after_a_right_code_only(alice: Member) -> None:
    factor = service.second_factor_begin(member=alice)
    with pytest.raises(WrongCode):
        service.second_factor_confirm(factor=factor, code=wrong(factor))
    assert service.factor_of(alice) is None
    SecondFactor.objects.update(throttling_failure_count=0)
    assert len(set(service.second_factor_confirm(factor=factor, code=code_of(factor)))) == 10
    assert service.factor_of(alice) == factor


def test_a_code_works_once(alice: Member) -> None:
    factor, _ = set_up(alice)
    service.second_factor_verify(factor=factor, code=code_of(factor))
    with pytest.raises(WrongCode):
        service.second_factor_verify(factor=factor, code=code_of(factor))


@pytest.mark.parametrize("steps", [0, 1])
def test_a_code_may_be_one_step_off(alice: Member, steps: int) -> None:
    factor, _ = set_up(alice)
    service.second_factor_verify(factor=factor, code=code_of(factor, steps))


@pytest.mark.parametrize("steps", [-1, 3])
def test_an_old_or_far_code_is_refused(alice: Member, steps: int) -> None:
    factor, _ = set_up(alice)
    with pytest.raises(WrongCode):
        service.second_factor_verify(factor=factor, code=code_of(factor, steps))


def test_after_wrong_codes_even_the_right_one_waits(alice: Member) -> None:
    factor, _ = set_up(alice)
    SecondFactor.objects.update(throttling_failure_count=8, throttling_failure_timestamp=timezone.now())
    with pytest.raises(TryLater) as later:
        service.second_factor_verify(factor=factor, code=code_of(factor))
    assert timedelta(0) < later.value.at - timezone.now() <= timedelta(seconds=128)


def test_the_wait_grows_no_longer_than_34_minutes(alice: Member) -> None:
    factor, _ = set_up(alice)
    before = timezone.now() - timedelta(days=1)
    SecondFactor.objects.update(throttling_failure_count=12, throttling_failure_timestamp=before)
    with pytest.raises(WrongCode):
        service.second_factor_verify(factor=factor, code=wrong(factor))
    with pytest.raises(TryLater) as later:
        service.second_factor_verify(factor=factor, code=code_of(factor))
    assert later.value.at - timezone.now() <= timedelta(seconds=2048)


def test_a_recovery_code_works_once_however_it_is_typed(alice: Member) -> None:
    factor, codes = set_up(alice)
    service.second_factor_verify(factor=factor, code=f" {codes[0].upper().replace('-', ' ')} ")
    with pytest.raises(WrongCode):
        service.second_factor_verify(factor=factor, code=codes[0])
    assert service.unused_recovery_codes(factor) == 9


def test_a_recovery_code_need_not_wait_for_wrong_ones(alice: Member) -> None:
    factor, codes = set_up(alice)
    SecondFactor.objects.update(throttling_failure_count=8, throttling_failure_timestamp=timezone.now())
    service.second_factor_verify(factor=factor, code=codes[3])


def test_recovery_codes_are_stored_as_hashes_and_replaced_by_new_ones(alice: Member) -> None:
    factor, codes = set_up(alice)
    assert not {codes[0], codes[0].replace("-", "")} & set(RecoveryCode.objects.values_list("digest", flat=True))
    service.recovery_codes_renew(factor=factor)
    with pytest.raises(WrongCode):
        service.second_factor_verify(factor=factor, code=codes[0])


def test_removing_it_says_whether_there_was_one(alice: Member) -> None:
    set_up(alice)
    assert service.second_factor_remove(member=alice)
    assert not service.second_factor_remove(member=alice)
    assert not RecoveryCode.objects.exists()


def test_a_session_is_satisfied_without_a_factor_or_with_this_member_s(alice: Member) -> None:
    assert service.is_satisfied(alice, {})
    factor, _ = set_up(alice)
    assert not service.is_satisfied(alice, {})
    assert not service.is_satisfied(alice, {django_otp.DEVICE_ID_SESSION_KEY: "accounts.secondfactor/0"})
    assert service.is_satisfied(alice, {django_otp.DEVICE_ID_SESSION_KEY: factor.persistent_id})
    assert not service.is_satisfied(AnonymousUser(), {})


def test_staff_are_not_satisfied_without_one_where_it_is_demanded(alice: Member, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    assert service.is_satisfied(alice, {})
    alice.is_staff = True
    assert not service.is_satisfied(alice, {})


def test_the_secret_outlives_a_change_of_the_encryption_key(alice: Member) -> None:
    factor, _ = set_up(alice)
    secret, sealed = service.secret_of(factor), factor.secret
    call_command("rotate_encryption_keys", stdout=StringIO())
    factor.refresh_from_db()
    assert factor.secret != sealed
    assert service.secret_of(factor) == secret
