"""What can be done with members and accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import crypto
from accounts.models import Account, LoginBlock, Member


@transaction.atomic
def member_add(*, name: str, xjtlu_username: str, xjtlu_password: str = "", email: str = "") -> Account:
    """A member with an account. The member signs in to the gateway's own pages only after choosing a password there."""
    member = Member(username=name, email=email)
    member.set_unusable_password()
    member.full_clean(exclude=["password"])
    member.save()
    account = Account(member=member, username=xjtlu_username)
    account.password = crypto.seal(account, "password", xjtlu_password)
    _clean_username(account)
    account.save()
    return account


@transaction.atomic
def staff_add(*, name: str, email: str = "", is_admin: bool = False) -> Member:
    """Somebody who works in the admin and has no XJTLU account here; they too choose their password themselves."""
    member = Member(username=name, email=email, is_staff=True, is_superuser=is_admin)
    member.set_unusable_password()
    member.full_clean(exclude=["password"])
    member.save()
    return member


def username_change(*, account: Account, xjtlu_username: str, same_user: bool) -> None:
    """Change the XJTLU username; what was sealed for another user is erased. Raises `ValidationError`."""
    account.username = xjtlu_username
    _clean_username(account)
    if not same_user:
        account.password = account.sign_on_cookies = ""
    account.save(update_fields=["username", "password", "sign_on_cookies"])
    login_reset(account=account)


def password_change(*, account: Account, xjtlu_password: str, not_before: datetime | None = None) -> None:
    """A new XJTLU password ends every wait for a person: the next login tries it once, by itself not before."""
    account.password = crypto.seal(account, "password", xjtlu_password)
    account.save(update_fields=["password"])
    login_reset(account=account)
    if not_before is not None:
        account.next_login_at = not_before
        account.save(update_fields=["next_login_at"])


def login_reset(*, account: Account) -> None:
    """A person acted: forget blocks, tries and back-off."""
    account.login_block = LoginBlock.NONE
    account.login_block_reason = ""
    account.password_tries = account.early_failures = 0
    account.next_login_at = timezone.now()
    account.save(
        update_fields=[
            "login_block",
            "login_block_reason",
            "password_tries",
            "early_failures",
            "next_login_at",
        ]
    )


def account_pause(*, account: Account) -> bool:
    """No request, login, keep-alive of this account until it is resumed; its sessions are still cleaned up.

    Whether it was not paused before.
    """
    return bool(Account.objects.filter(pk=account.pk, paused_at=None).update(paused_at=timezone.now()))


def account_resume(*, account: Account) -> bool:
    """Whether it was paused."""
    return bool(Account.objects.filter(pk=account.pk, paused_at__isnull=False).update(paused_at=None))


def _clean_username(account: Account) -> None:
    """The school takes `San.Zhang` and `san.zhang` for one user, so two accounts would share this user's limits."""
    account.full_clean()
    if Account.objects.filter(username__iexact=account.username).exclude(pk=account.pk).exists():
        raise ValidationError({"username": _("Account with this XJTLU username already exists.")})


def sign_on_cookies_keep(*, account: Account, cookies: Sequence[Mapping[str, Any]]) -> None:
    """Keep the sign-on's own cookies for the next login's browser."""
    account.sign_on_cookies = crypto.seal(account, "sign_on_cookies", json.dumps(list(cookies)) if cookies else "")
    account.save(update_fields=["sign_on_cookies"])


def sign_on_cookies(account: Account) -> list[dict[str, Any]]:
    """What the last login kept; [] where there was none."""
    text = crypto.unseal(account, "sign_on_cookies")
    return list(json.loads(text)) if text else []
