"""From which address a request comes, also behind a reverse proxy."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest, *_: Any) -> str | None:
    """The address of a page's request."""
    return address_of(request.META.get("REMOTE_ADDR"), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def client_network(request: HttpRequest, *_: Any) -> str | None:
    """As `client_address`, for what counts by client: of IPv6 the first address of its /64."""
    return network_of(client_address(request))


def network_of(address: str | None) -> str | None:
    """One machine has a whole /64 of IPv6 addresses to itself, and of IPv4 at most one."""
    if address is None or ":" not in address:
        return address
    return str(ip_network(f"{address}/64", strict=False).network_address)


def scope_address(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """The address of an ASGI request, with its headers by their names in lower case."""
    client = scope.get("client")
    return address_of(client[0] if client else None, headers.get("x-forwarded-for", ""))


def address_of(peer: str | None, forwarded_for: str) -> str | None:
    """The nearest address that is no trusted proxy's: what stands left of it, the client itself may have written."""
    address = _clean(peer)
    for hop in reversed(forwarded_for.split(",")):
        before = _clean(hop)
        if address is None or before is None or not _is_trusted(address):
            break
        address = before
    return address


def _clean(text: str | None) -> str | None:
    """The address as it is usually written; an IPv4 address that comes as `::ffff:192.0.2.7` is one."""
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_trusted(address: str) -> bool:
    return any(ip_address(address) in network for network in settings.TRUSTED_PROXIES)
