"""System checks: what would fail later is said at the start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from accounts import crypto


@checks.register(checks.Tags.security)
def encryption_keys_can_be_used(**_: Any) -> list[checks.CheckMessage]:
    try:
        crypto.key_ids()
    except (ImproperlyConfigured, OSError) as error:
        return [checks.Critical(str(error), hint="See GATEWAY_ENCRYPTION_KEYS in README.md.", id="gateway.E001")]
    return []


@checks.register()
def portal_is_an_address(**_: Any) -> list[checks.CheckMessage]:
    if not settings.XIPU_PORTAL_URL.startswith(("http://", "https://")):
        return [checks.Critical("XIPU_PORTAL_URL must be an http(s) address.", id="gateway.E002")]
    return []
