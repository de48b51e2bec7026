"""A member leaves: first the sessions at the school are cleaned, then the secrets go; usage stays without a name."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import Account, ApiKey, Member
from gateway.models import UpstreamSession
from tokens.logins import is_logging_in
from tokens.pictures import pictures_erase

log = structlog.get_logger(__name__)

PATIENCE = timedelta(hours=1)
"""How long the school may fail to answer before the secrets are erased all the same."""


@transaction.atomic
def begin(*, member: Member) -> None:
    """From now on no key works and no login starts; a task does the rest."""
    now = timezone.now()
    ApiKey.objects.filter(member=member, revoked_at=None).update(revoked_at=now)
    Member.objects.filter(pk=member.pk, leaving_at=None).update(leaving_at=now, is_active=False)


def has_sessions(account: Account) -> bool:
    """Whether sessions of the gateway may still be at the school. Without a token nothing can be asked there."""
    return UpstreamSession.objects.filter(account=account).exists()


def finish(*, member: Member, cleaned: bool) -> None:
    """Erase the member once its sessions are gone, or after an hour of trying; never in the middle of a login."""
    account = Account.objects.filter(member=member).first()
    if account is not None and is_logging_in(account=account):
        return
    overdue = member.leaving_at is not None and timezone.now() - member.leaving_at > PATIENCE
    if not cleaned and not overdue:
        return
    if not cleaned:
        log.warning("a member was erased while sessions may be left at the school", member=member.pk)
    if account is not None:
        pictures_erase(account=account)
    with transaction.atomic():
        if account is not None:
            audit.forget_usernames(account=account, instead=member.username)
        member.delete()
