"""Where workers reach this web process, which alone knows its real port."""

from __future__ import annotations

from django.conf import settings

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  names to replace, not to listen on
_listening = ""


def listening_at(host: str, port: int) -> None:
    """The port is open: called once, when the web process starts."""
    global _listening
    _listening = _address(host, port)


def for_workers() -> str:
    """`ws://…` or `wss://…`, without a path: GATEWAY_INTERNAL_URL, else the address on which this process listens."""
    if settings.INTERNAL_URL:
        scheme, rest = settings.INTERNAL_URL.split("://", 1)
        return f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
    return _listening or _address(settings.GATEWAY_HOST, settings.GATEWAY_PORT)


def _address(host: str, port: int) -> str:
    host = ANY.get(host, host)
    return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"
