"""Ports of this machine."""

from __future__ import annotations

import socket


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return True
    except OSError:
        return False


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or a free port where that is taken, or 0."""
    if wanted and is_free(host, wanted):
        return wanted
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])
