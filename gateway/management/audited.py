"""What is done by commands, in the audit: nobody knows there who typed them."""

from __future__ import annotations

from django.db.models import Model
from django.utils.translation import gettext_noop

from accounts import audit

ADDED = gettext_noop("Added.")
IMPORTED = gettext_noop("Imported from a file.")
INVITED = gettext_noop("Made an invitation link.")
KEY_ISSUED = gettext_noop("Issued.")
LOGIN_ASKED = gettext_noop("Asked for a login.")
TOKEN_IMPORTED = gettext_noop("Handed a token over.")
REMOVED = gettext_noop("Removed.")


def note(command: str, action: str, target: Model) -> None:
    """Write down what `manage.py command` did."""
    audit.note(actor=None, actor_name=f"manage.py {command}", action=action, target=target)
