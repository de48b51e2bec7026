"""What members do in the dashboard, in the audit."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Model
from django.http import HttpRequest

from accounts import audit
from gateway.addresses import client_address
from gateway.dashboard.guard import member_of


def note(request: HttpRequest, action: str, target: Model, changes: Sequence[audit.Change] = ()) -> None:
    """Write down what who is signed in did, and from where. `action` is English: it is translated when shown."""
    actor, address = member_of(request), client_address(request)
    audit.note(actor=actor, action=action, target=target, address=address, changes=changes)
