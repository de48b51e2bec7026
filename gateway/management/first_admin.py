"""The one-time link for the first admin, which a start prints while there is none."""

from __future__ import annotations

import structlog
from django.db import DatabaseError

from accounts.invitations import invitation_make, link, listening_at, needs_first_admin

log = structlog.get_logger(__name__)


def fresh_secret() -> str:
    """The secret of a new link, which replaces that of the start before; "" where there is an admin.

    A database that is away or not yet migrated does not keep the web process from starting: "" and a warning.
    """
    try:
        return invitation_make(member=None, created_by=None)[1] if needs_first_admin() else ""
    except DatabaseError as error:
        log.warning("no_first_admin_link", reason=type(error).__name__)
        return ""


def words(secret: str, host: str, port: int) -> str:
    """What to print for people."""
    address = link(None, secret, page="first_admin", base=listening_at(host, port))
    return f"There is no admin yet. Become the first one, within a week and before the next start:\n  {address}"
