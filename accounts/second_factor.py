"""The second factor: an authenticator app, with one-time recovery codes for when it is not at hand.

A recovery code has 80 bits, so that a plain SHA-256 is enough to store it, and no wrong tries need to be waited out.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b32encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import django_otp
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from accounts import crypto
from accounts.models import Member, RecoveryCode, SecondFactor

ISSUER = "XIPU Gateway"
SECRET_BYTES = 20
"""The length of SHA-1's output, as RFC 4226 recommends."""

RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 10
SET_UP_WITHIN = timedelta(hours=1)


class WrongCode(Exception):
    """The code is not right, or was used before."""


class TryLater(WrongCode):
    """There were wrong codes just before; the next one is looked at from `at` on."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


# Reads


def factor_of(member: Member | AnonymousUser) -> SecondFactor | None:
    """The second factor that the member has set up and confirmed."""
    return SecondFactor.objects.filter(user_id=member.pk, confirmed=True).first()


def is_demanded(member: Member | AnonymousUser) -> bool:
    """Whether the installation asks this person to have a second factor."""
    return bool(settings.STAFF_SECOND_FACTOR) and member.is_staff


def is_owed(member: Member | AnonymousUser) -> bool:
    """Whether this person is asked to have a second factor and has none: they may do nothing until they have."""
    return is_demanded(member) and factor_of(member) is None


def is_satisfied(member: Member | AnonymousUser, session: Mapping[str, Any]) -> bool:
    """Whether a signed-in session may do anything: the second factor was given in it, or none is set up or demanded.

    For pages the middleware `gateway.dashboard.guard` asks this. What Django's middleware does not see, such as
    WebSockets (`scope["user"]`, `scope["session"]`), has to ask for itself. False for nobody. One or two queries.
    """
    if not member.is_authenticated:
        return False
    factor = factor_of(member)
    if factor is None:
        return not is_demanded(member)
    return session.get(django_otp.DEVICE_ID_SESSION_KEY) == factor.persistent_id


def unused_recovery_codes(factor: SecondFactor) -> int:
    """How many are left."""
    return factor.recovery_codes.filter(used_at=None).count()


def secret_of(factor: SecondFactor) -> str:
    """The secret in base32, as apps take it. Only for the page on which it is set up."""
    return crypto.unseal(factor, "secret")


def set_up_address(factor: SecondFactor) -> str:
    """What the QR code says: the `otpauth:` address that authenticator apps read."""
    label = quote(f"{ISSUER}:{factor.user.get_username()}")
    query = urlencode({"secret": secret_of(factor), "issuer": ISSUER}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"


# Writes


@transaction.atomic
def second_factor_begin(*, member: Member) -> SecondFactor:
    """A second factor that waits for its first code: the one begun within the hour, else one with a new secret."""
    Member.objects.select_for_update().get(pk=member.pk)
    begun = SecondFactor.objects.filter(user=member).first()
    if begun is not None and (begun.confirmed or begun.created_at > timezone.now() - SET_UP_WITHIN):
        return begun
    if begun is not None:
        begun.delete()
    factor = SecondFactor.objects.create(user=member, name="app", confirmed=False)
    # Sealed after the row has its id, to which the seal is bound.
    factor.secret = crypto.seal(factor, "secret", b32encode(secrets.token_bytes(SECRET_BYTES)).decode())
    factor.save(update_fields=["secret"])
    return factor


def second_factor_confirm(*, factor: SecondFactor, code: str) -> list[str]:
    """Turn it on by a code of the app; the recovery codes, which are nowhere kept. Raises `WrongCode`, `TryLater`."""
    _verify_app(factor, _clean(code))
    with transaction.atomic():
        SecondFactor.objects.filter(pk=factor.pk).update(confirmed=True)
        return recovery_codes_renew(factor=factor)


def second_factor_verify(*, factor: SecondFactor, code: str) -> None:
    """Take a code of the app or a recovery code, once. Raises `WrongCode`, `TryLater`."""
    code = _clean(code)
    if SecondFactor.CODE.fullmatch(code) or not _use_recovery_code(factor, code):
        _verify_app(factor, code)


@transaction.atomic
def recovery_codes_renew(*, factor: SecondFactor) -> list[str]:
    """Ten new recovery codes such as `k3fa-9…`; those from before are worth nothing any more."""
    factor.recovery_codes.all().delete()
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=_digest(_clean(code))) for code in codes)
    return codes


def second_factor_remove(*, member: Member) -> bool:
    """Turn it off, for a member who proved to be themselves, or by an admin for one who lost phone and codes.

    Whether there was one. The admin's button calls this and notes "Removed the second factor." in the audit.
    """
    return bool(SecondFactor.objects.filter(user=member).delete()[0])


def _verify_app(factor: SecondFactor, code: str) -> None:
    factor.refresh_from_db()
    allowed, why_not = factor.verify_is_allowed()
    if not allowed:
        raise TryLater(why_not["locked_until"])
    if django_otp.verify_token(factor.user, factor.persistent_id, code) is None:
        raise WrongCode


def _use_recovery_code(factor: SecondFactor, code: str) -> bool:
    unused = factor.recovery_codes.filter(digest=_digest(code), used_at=None)
    return bool(unused.update(used_at=timezone.now()))


def _new_code() -> str:
    text = b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _clean(code: str) -> str:
    """As people type it: with spaces or hyphens, in capitals."""
    return "".join(code.split()).replace("-", "").lower()


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
