"""JSON Web Tokens signed with HS256, as the school hands them out in `Jm-Token`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(signed: str, key: bytes) -> str:
    return _encoded(hmac.digest(key, signed.encode(), hashlib.sha256))


def sign(claims: dict[str, Any], key: bytes) -> str:
    """Return the token that carries `claims`."""
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    return f"{signed}.{_signature(signed, key)}"


def verify(token: str, key: bytes, now: float) -> dict[str, Any] | None:
    """Return the claims of a token with a good signature that is valid at `now` (Unix seconds), else None."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed, key).encode()):
        return None
    try:
        claims: dict[str, Any] = json.loads(_decoded(signed.partition(".")[2]))
    except (binascii.Error, ValueError):
        return None
    return claims if claims["nbf"] <= now < claims["exp"] else None
