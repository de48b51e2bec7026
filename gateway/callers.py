"""Whose request it is, what their key asks for, and what it may be used for."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from accounts.models import Account


@dataclass(frozen=True)
class Preferences:
    """What a key asks for where a request does not say."""

    web_search: bool = False
    fold_reasoning: bool = False


@dataclass(frozen=True)
class Bounds:
    """What a key may be used for. Nothing named: for everything, from everywhere, as often as the account bears."""

    models: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    per_minute: int | None = None
    per_day: int | None = None

    @property
    def are_counted(self) -> bool:
        return self.per_minute is not None or self.per_day is not None

    def allow_model(self, model_id: str) -> bool:
        return not self.models or model_id in self.models

    def allow_address(self, address: str | None) -> bool:
        """An unknown address is in no network."""
        if not self.networks:
            return True
        if address is None:
            return False
        seen = ip_address(address)
        if isinstance(seen, IPv6Address) and seen.ipv4_mapped:
            seen = seen.ipv4_mapped
        return any(seen in ip_network(network) for network in self.networks)


@dataclass(frozen=True)
class Caller:
    """The member of a request, the account it goes to, where there is one, and the key, unless it is a page's."""

    member_id: int
    key_id: int | None
    account: Account | None
    preferences: Preferences = Preferences()
    bounds: Bounds = Bounds()
