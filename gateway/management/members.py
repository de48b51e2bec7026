"""What the members' commands share."""

from __future__ import annotations

import sys
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from accounts.models import Account


def account_of(name: str) -> Account:
    """The member's account. Raises `CommandError`."""
    account = Account.objects.select_related("member").filter(member__username=name).first()
    if account is None:
        raise CommandError(f"There is no member {name!r} with an XJTLU account. Add one with add_member.")
    return account


def read_secret(place: str | None) -> str:
    """One line from a file, or from standard input for `-`; "" for no place."""
    if place is None:
        return ""
    if place == "-":
        return sys.stdin.readline().rstrip("\r\n")
    try:
        return Path(place).read_text().rstrip("\r\n")
    except OSError as error:
        raise CommandError(f"Cannot read {place}: {error.strerror}.") from None


def in_words(error: ValidationError) -> str:
    """Each field's messages in one line, without values."""
    if hasattr(error, "error_dict"):
        return " ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
    return " ".join(error.messages)
