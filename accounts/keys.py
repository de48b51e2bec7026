"""API keys: `xg-<prefix>-<secret>`, shown once, stored as a hash.

The secret has 192 bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import ApiKey, Member

PREFIX_BYTES = 5
SECRET_BYTES = 24
LAST_USED_EVERY = timedelta(minutes=1)
MAX_LIVE_KEYS = 50
"""Of one member: enough for every program, too few to fill the table with."""
CHECK_NAME = gettext_noop("Connection check")
"""Of the keys that a page borrows for minutes, to check a connection; each leaves its row."""
CHECKS = Q(name=CHECK_NAME, expires_at__isnull=False)
NO_KEY_DIGEST = "0" * 64
# With all columns of the three tables, reading a key took twice as long.
READ_BY_A_REQUEST = (
    "digest",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "last_used_from",
    "web_search",
    "fold_reasoning",
    "allowed_models",
    "allowed_networks",
    "requests_per_minute",
    "requests_per_day",
    "may_manage",
    "member__is_active",
    "member__account__paused_at",
)


class KeyRefused(Exception):
    """A key cannot be issued or rotated. The message is for the member and says what to do."""


class KeySettings(TypedDict, total=False):
    """What a key may be used for. Empty lists and None bound nothing; networks such as `10.0.0.0/8` or `192.0.2.7`."""

    allowed_models: Sequence[str]
    allowed_networks: Sequence[str]
    requests_per_minute: int | None
    requests_per_day: int | None
    web_search: bool
    fold_reasoning: bool
    may_manage: bool


class KeyChanges(KeySettings, total=False):
    """What can be changed of a key."""

    name: str
    expires_at: datetime | None


CARRIED_OVER = tuple(KeySettings.__annotations__)


def key_issue(
    *, member: Member, name: str = "default", expires_at: datetime | None = None, **limits: Unpack[KeySettings]
) -> tuple[ApiKey, str]:
    """A new key and its text, which is nowhere kept. Raises `KeyRefused` and `ValidationError`."""
    key = ApiKey(member=member, name=name, expires_at=expires_at)
    _apply(key, limits)
    return key, _save_new(key)


@transaction.atomic
def key_rotate(*, key: ApiKey, grace: timedelta) -> tuple[ApiKey, str]:
    """A new key in place of this one, with its name, settings and lifetime, and the new key's text.

    Both work until the grace is over; the old one never longer than it would have. Raises `KeyRefused`.
    """
    old = ApiKey.objects.select_for_update().get(pk=key.pk)
    _check_rotatable(old)
    now = timezone.now()
    new = ApiKey(member_id=old.member_id, name=old.name, replaces=old)
    if old.expires_at is not None:
        new.expires_at = now + (old.expires_at - old.created_at)
    for setting in CARRIED_OVER:
        setattr(new, setting, getattr(old, setting))
    text = _save_new(new)
    old.expires_at = min(now + grace, old.expires_at or now + grace)
    old.save(update_fields=["expires_at"])
    return new, text


def key_change(*, key: ApiKey, **changes: Unpack[KeyChanges]) -> None:
    """Change what is named; the next request finds it. Raises `ValidationError`."""
    if "expires_at" in changes and changes["expires_at"] != key.expires_at and key.replacements.exists():
        # It ends with its grace: to live on, it would have to be asked for by name.
        raise ValidationError({"expires_at": _("Another key replaces this one, so its expiry stays as it is.")})
    _apply(key, changes)
    key.save(update_fields=list(changes))


def key_revoke(*, key: ApiKey) -> bool:
    """The next request with it is refused. Whether it was not revoked before."""
    return bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()))


def key_find(text: str) -> ApiKey | None:
    """The key with its member and account, whatever its state; None where no key has this text."""
    prefix = text.split("-")[1] if text.startswith("xg-") and text.count("-") == 2 else ""
    key = ApiKey.objects.select_related("member__account").only(*READ_BY_A_REQUEST).filter(prefix=prefix).first()
    matches = hmac.compare_digest(key.digest if key else NO_KEY_DIGEST, _digest(text))
    return key if matches else None


def key_note_use(*, key: ApiKey, address: str | None = None) -> None:
    """Remember that the key was used, and from where; at most one write a minute unless the address changed."""
    now = timezone.now()
    fresh = key.last_used_at is not None and now - key.last_used_at < LAST_USED_EVERY
    if fresh and key.last_used_from == address:
        return
    outdated = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY) | ~Q(last_used_from=address)
    ApiKey.objects.filter(outdated, pk=key.pk).update(last_used_at=now, last_used_from=address)


def live_keys() -> QuerySet[ApiKey]:
    """Those that are neither revoked nor expired."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


def networks(texts: Iterable[str]) -> list[str]:
    """Addresses and networks as `192.0.2.7/32`, each once. Raises `ValidationError` naming the one that is neither."""
    clean: dict[str, None] = {}
    for text in filter(None, (each.strip() for each in texts)):
        try:
            clean[str(ip_network(text, strict=False))] = None
        except ValueError:
            raise ValidationError(
                _("“%(text)s” is no address or network. Write it like 192.0.2.7 or 10.0.0.0/8."),
                params={"text": text[:60]},
            ) from None
    return list(clean)


def _apply(key: ApiKey, changes: KeyChanges | KeySettings) -> None:
    for name, value in changes.items():
        if name == "allowed_networks":
            value = networks(changes["allowed_networks"])
        elif name == "allowed_models":
            value = list(dict.fromkeys(changes["allowed_models"]))
        setattr(key, name, value)


def _check_rotatable(key: ApiKey) -> None:
    if not key.is_live:
        raise KeyRefused(_("This key does not work any more, so it cannot be rotated. Create a new one."))
    if live_keys().filter(replaces=key).exists():
        raise KeyRefused(_("This key was rotated already. Rotate the key that replaces it, or revoke that one first."))


@transaction.atomic
def _save_new(key: ApiKey) -> str:
    """Give the key a text and save it. Raises `KeyRefused` where its member has too many."""
    # Two at once count one after the other.
    Member.objects.select_for_update().only("pk").get(pk=key.member_id)
    if live_keys().filter(member=key.member_id).count() >= MAX_LIVE_KEYS:
        raise KeyRefused(
            _("There are %(limit)d keys that work already. Revoke one that is not used any more.")
            % {"limit": MAX_LIVE_KEYS}
        )
    key.prefix = secrets.token_hex(PREFIX_BYTES)
    text = f"xg-{key.prefix}-{secrets.token_hex(SECRET_BYTES)}"
    key.digest = _digest(text)
    key.save()
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
