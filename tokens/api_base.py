"""Where a token that a person brings may be sent: to the school's API, in a form that nobody can read in two ways."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings

MAX_URL_CHARACTERS = 300
# Plain: no user name, backslash, blank, query or fragment, of which two readers may make two different hosts.
BASE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[a-z0-9._~%/-]*)?",
    re.ASCII | re.IGNORECASE,
)
PORTS = {"http": 80, "https": 443}


def is_schools(api_url: str) -> bool:
    """Whether a token may be sent to this API base."""
    base = BASE.fullmatch(api_url)
    if base is None or len(api_url) > MAX_URL_CHARACTERS:
        return False
    scheme, host = base["scheme"].lower(), base["host"].lower().strip("[]")
    port = int(base["port"] or PORTS[scheme])
    if scheme == "http":
        # In clear only where the installation itself says so, as for a simulated school.
        return (scheme, host, port) in _configured()
    of_school = f".{host}".endswith(f".{settings.XIPU_SCHOOL_DOMAIN}")
    trusted = {name.lower() for name in settings.XIPU_TRUSTED_HOSTS} | {name for _, name, _ in _configured()}
    return 0 < port < 65_536 and (of_school or host in trusted)


def _configured() -> set[tuple[str, str, int]]:
    """Scheme, host and port of the addresses that are set for the school."""
    parts = [urlsplit(url) for url in (settings.XIPU_PORTAL_URL, settings.XIPU_API_URL) if url]
    return {(part.scheme, part.hostname or "", part.port or PORTS[part.scheme]) for part in parts}
