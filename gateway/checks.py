"""System checks: what would fail later is said at the start."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

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


@checks.register(checks.Tags.security, deploy=True)
def links_lead_to_this_gateway(**_: Any) -> list[checks.CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS or settings.PUBLIC_URL:
        return []
    return [
        checks.Warning(
            "Any name in a request's Host header is taken, and links in mails, as for a new password, lead there.",
            hint="Set GATEWAY_PUBLIC_URL, or name the hosts in GATEWAY_ALLOWED_HOSTS.",
            id="gateway.W001",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def live_logins_do_not_travel_in_clear(**_: Any) -> list[checks.CheckMessage]:
    url = urlsplit(settings.INTERNAL_URL)
    if url.scheme != "http" or _is_this_machine(url.hostname or ""):
        return []
    return [
        checks.Warning(
            "Workers reach the web process in clear: what members see and type in live logins can be read on the way.",
            hint="Give GATEWAY_INTERNAL_URL an https address, or let the way be one that nobody else can listen on.",
            id="gateway.W002",
        )
    ]


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
