"""API keys: `xg-<prefix>-<secret>`, shown once, stored as a hash.

The secret has 192 bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiKey, Member

PREFIX_BYTES = 5
SECRET_BYTES = 24
LAST_USED_EVERY = timedelta(minutes=1)
NO_KEY_DIGEST = "0" * 64
# With all columns of the three tables, reading a key took twice as long.
READ_BY_A_REQUEST = (
    "digest",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "web_search",
    "fold_reasoning",
    "member__is_active",
    "member__account__paused_at",
)


def key_issue(*, member: Member, name: str = "default", expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A new key and its text, which is nowhere kept."""
    prefix = secrets.token_hex(PREFIX_BYTES)
    text = f"xg-{prefix}-{secrets.token_hex(SECRET_BYTES)}"
    key = ApiKey.objects.create(member=member, name=name, prefix=prefix, digest=_digest(text), expires_at=expires_at)
    return key, text


def key_revoke(*, key: ApiKey) -> None:
    """The next request with it is refused."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def key_find(text: str) -> ApiKey | None:
    """The key with its member and account, whatever its state; None where no key has this text."""
    prefix = text.split("-")[1] if text.startswith("xg-") and text.count("-") == 2 else ""
    key = ApiKey.objects.select_related("member__account").only(*READ_BY_A_REQUEST).filter(prefix=prefix).first()
    matches = hmac.compare_digest(key.digest if key else NO_KEY_DIGEST, _digest(text))
    return key if matches else None


def key_note_use(*, key: ApiKey) -> None:
    """Remember that the key was used; at most one write a minute."""
    now = timezone.now()
    if key.last_used_at and now - key.last_used_at < LAST_USED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
