"""Secrets at rest: the only place that turns a stored secret into clear text.

A sealed value is the text `v1:<key id>:<base64 of nonce + ciphertext>`: AES-256-GCM whose associated data names table,
field and row, so that a ciphertext that was moved to another row does not open. The key id is the first 8 hex digits
of the key's SHA-256; it tells which key opens a value while old and new keys are in use side by side.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from accounts import keyfile

VERSION = "v1"
NONCE_BYTES = 12


if TYPE_CHECKING:
    TextColumn = models.TextField[str, str]
else:
    TextColumn = models.TextField


class SealedField(TextColumn):
    """A column of sealed values ("" = nothing stored). Its name is how key rotation finds all of them."""


class CannotUnseal(Exception):
    """The value was sealed with a key that is not configured, or it belongs to another row."""


def make_key() -> str:
    """A new key as it stands in GATEWAY_ENCRYPTION_KEYS: 32 random bytes, base64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def seal(row: models.Model, field: str, text: str) -> str:
    """`text` sealed with the newest key for this row's field; "" stays ""."""
    if not text:
        return ""
    key_id, cipher = next(iter(_keyring().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, text.encode(), _place(row, field))
    return f"{VERSION}:{key_id}:{base64.b64encode(sealed).decode()}"


def unseal(row: models.Model, field: str) -> str:
    """The clear text of the row's field; "" where nothing is stored. Raises `CannotUnseal`."""
    value: str = getattr(row, field)
    if not value:
        return ""
    try:
        version, key_id, payload = value.split(":")
        sealed = base64.b64decode(payload, validate=True)
        cipher = _keyring()[key_id]
        if version != VERSION:
            raise ValueError(version)
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _place(row, field)).decode()
    except KeyError:
        raise CannotUnseal("A secret was sealed with a key that GATEWAY_ENCRYPTION_KEYS does not hold.") from None
    except (ValueError, InvalidTag):
        raise CannotUnseal("A sealed secret is damaged or belongs to another row.") from None


def is_current(value: str) -> bool:
    """Whether a sealed value needs no rotation: nothing stored, or sealed with the newest key."""
    return not value or value.split(":")[1] == key_ids()[0]


def key_ids() -> list[str]:
    """The ids of the configured keys, newest first. Raises `ImproperlyConfigured`."""
    return list(_keyring())


def add_key() -> None:
    """Put a new key in front of the key file. Every process reads the file again when it has changed."""
    if settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured(
            "The keys are in GATEWAY_ENCRYPTION_KEYS: put a new one in front there, restart, then use --no-new-key."
        )
    path = Path(settings.ENCRYPTION_KEYS_FILE)
    keyfile.replace(path, ",".join([make_key(), keyfile.read_or_create(path, make_key)]))


def forget_old_keys() -> None:
    """Leave only the newest key in the key file. Backups made before need the older ones: keep a copy."""
    if settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("The keys are in GATEWAY_ENCRYPTION_KEYS: take the old ones out there and restart.")
    path = Path(settings.ENCRYPTION_KEYS_FILE)
    keyfile.replace(path, path.read_text().strip().split(",")[0])


def _place(row: models.Model, field: str) -> bytes:
    return f"{row._meta.db_table}:{field}:{row.pk}".encode()


def _keyring() -> dict[str, AESGCM]:
    """Key id to cipher, newest first. The file is looked at each time, so that a rotation reaches running processes."""
    if settings.ENCRYPTION_KEYS:
        return _ciphers(settings.ENCRYPTION_KEYS)
    path = Path(settings.ENCRYPTION_KEYS_FILE)
    return _ciphers(keyfile.read_or_create(path, make_key))


@lru_cache(maxsize=4)
def _ciphers(keys: str) -> dict[str, AESGCM]:
    ring = {}
    for key in filter(None, (part.strip() for part in keys.split(","))):
        try:
            raw = base64.urlsafe_b64decode(key)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise ImproperlyConfigured("Each of GATEWAY_ENCRYPTION_KEYS must be 32 bytes in base64.")
        ring[hashlib.sha256(raw).hexdigest()[:8]] = AESGCM(raw)
    if not ring:
        raise ImproperlyConfigured("GATEWAY_ENCRYPTION_KEYS holds no key.")
    return ring
