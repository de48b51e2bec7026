"""What members do in the dashboard, in the audit."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpRequest

from accounts import audit
from gateway.addresses import client_address
from gateway.dashboard.guard import member_of


def note(request: HttpRequest, action: str, target: Model) -> None:
    """Write down what who is signed in did, and from where. `action` is English: it is translated when shown."""
    audit.note(actor=member_of(request), action=action, target=target, address=client_address(request))
