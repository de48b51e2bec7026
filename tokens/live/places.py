"""The origins that a live login may open: portal, API and sign-on of the school, and what the settings name besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
PORTS = {"http": 80, "https": 443}
SCHOOL_NAMES = ("xipuai", "sso", "uim", "jmapi")
"""Portal, sign-on and API under the school's domain (protocol page, "Where" and "Logging in")."""


@dataclass(frozen=True)
class Place:
    """An origin, an IPv6 address in brackets; the host `*.idp.example` stands for all names below that one."""

    scheme: str
    host: str
    port: int

    def holds(self, other: Place) -> bool:
        is_below = self.host.startswith("*.") and other.host.endswith(self.host[1:])
        return (is_below or other.host == self.host) and (other.scheme, other.port) == (self.scheme, self.port)


def place_of(url: str) -> Place:
    """The origin of a URL; of one without a host (`data:…`) the host is ""."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return Place(parts.scheme, f"[{host}]" if ":" in host else host, parts.port or PORTS.get(parts.scheme, 0))


def allowed_places() -> tuple[Place, ...]:
    """By https and at the usual port, but where an address of the settings says otherwise."""
    portal = place_of(settings.XIPU_PORTAL_URL)
    schemes = ("https", "http") if portal.scheme == "http" else ("https",)
    hosts = [*_school_hosts(), *settings.XIPU_SIGN_ON_HOSTS]
    places = [portal, *(place_of(f"{scheme}://{host}") for host in hosts for scheme in schemes)]
    if settings.XIPU_API_URL:
        places.append(place_of(settings.XIPU_API_URL))
    if portal.host in LOOPBACK:
        # A simulated school on this machine goes by several names.
        places += [replace(portal, host=name) for name in LOOPBACK]
    return tuple(dict.fromkeys(places))


def is_allowed(url: str, places: Sequence[Place]) -> bool:
    place = place_of(url)
    return any(allowed.holds(place) for allowed in places)


def may_be_shown(url: str, places: Sequence[Place]) -> bool:
    """Whether a window may show this: a page of an allowed place, nothing yet, or Chrome's own page of an error."""
    return url == "about:blank" or url.startswith("chrome-error:") or is_allowed(url, places)


def _school_hosts() -> list[str]:
    """Under their own names, and under those that the school's VPN makes of them."""
    hosts = [f"{name}.{settings.XIPU_SCHOOL_DOMAIN}" for name in SCHOOL_NAMES]
    return [*hosts, *(f"{host.replace('.', '-')}-s.{settings.XIPU_SCHOOL_DOMAIN}" for host in hosts)]
