"""Invitations: one-time links by which a member chooses a password, or by which the first admin is made.

A link's secret has 192 bits, so that a plain SHA-256 is enough to store it. The link is used up when the password is
set, not when it is opened: mail scanners and previews open links too.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, Member
from accounts.services import password_change

SECRET_BYTES = 24
VALID_FOR = timedelta(days=7)
EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  a listening address is none to visit
Page = Literal["invitation", "first_admin"]


class InvitationGone(Exception):
    """The link was used, replaced or withdrawn, or its time is over."""


@transaction.atomic
def invitation_make(*, member: Member | None, created_by: Member | None) -> tuple[Invitation, str]:
    """A new link's row and its secret, which is nowhere kept. The member's older links stop working.

    Without a member it is a link for the first admin, of which there is one at a time too.
    """
    Invitation.objects.filter(member=member, used_at=None).delete()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    invitation = Invitation.objects.create(
        member=member, created_by=created_by, digest=_digest(secret), expires_at=timezone.now() + VALID_FOR
    )
    return invitation, secret


def link(request: HttpRequest | None, secret: str, *, page: Page = "invitation", base: str = "") -> str:
    """The address to give away: under GATEWAY_PUBLIC_URL, else as the request came, else where the gateway listens.

    `base` replaces the last, such as `http://127.0.0.1:8123`.
    """
    path = reverse(f"dashboard:{page}", args=[secret])
    if settings.PUBLIC_URL:
        return f"{settings.PUBLIC_URL}{path}"
    if request is not None:
        return request.build_absolute_uri(path)
    return f"{base or listening_at(settings.GATEWAY_HOST, settings.GATEWAY_PORT)}{path}"


def listening_at(host: str, port: int) -> str:
    """The address under which this machine's own browser finds what listens there."""
    visited = EVERY_INTERFACE.get(host, host)
    return f"http://{visited}:{port}"


def invitation_find(secret: str) -> Invitation | None:
    """The row of a link, whatever its state; None for a link that was never given or was replaced by a newer one."""
    return Invitation.objects.select_related("member").filter(digest=_digest(secret)).first()


def is_open(invitation: Invitation) -> bool:
    """Whether the link can be used: not used before, in time, its member still wanted, no admin there already."""
    if invitation.used_at is not None or invitation.expires_at <= timezone.now():
        return False
    if invitation.member is None:
        return needs_first_admin()
    return invitation.member.is_active and invitation.member.leaving_at is None


def invited() -> set[int]:
    """The keys of the members who have a link that they can use."""
    links = Invitation.objects.filter(used_at=None, expires_at__gt=timezone.now())
    usable = links.filter(member__is_active=True, member__leaving_at=None)
    return set(usable.values_list("member_id", flat=True))


def is_invited(member: Member) -> bool:
    """Whether the member has a link that they can use: a fresh one ends it."""
    return any(is_open(invitation) for invitation in member.invitations.filter(used_at=None))


@transaction.atomic
def invitation_accept(*, invitation: Invitation, password: str, xjtlu_password: str = "") -> Member:
    """Set the password that the member chose, and their XJTLU password if they gave one. Raises `InvitationGone`."""
    if invitation.member is None or not is_open(invitation):
        raise InvitationGone
    _use_up(invitation)
    member = Member.objects.select_for_update().get(pk=invitation.member.pk)
    member.set_password(password)
    member.save(update_fields=["password"])
    if xjtlu_password:
        password_change(account=member.account, xjtlu_password=xjtlu_password)
    return member


@transaction.atomic
def first_admin_make(*, invitation: Invitation, name: str, email: str, password: str) -> Member:
    """The first admin, once. Raises `InvitationGone`, also when another link has just made one."""
    # All links for a first admin are locked, so that two people with two links come one after the other.
    list(Invitation.objects.select_for_update().filter(member=None).order_by("pk"))
    if invitation.member is not None or not is_open(invitation):
        raise InvitationGone
    _use_up(invitation)
    return Member.objects.create_superuser(name, email=email, password=password)


def needs_first_admin() -> bool:
    """Whether nobody could sign in to the admin."""
    return not Member.objects.filter(is_superuser=True, is_active=True).exists()


def _use_up(invitation: Invitation) -> None:
    now = timezone.now()
    if not Invitation.objects.filter(pk=invitation.pk, used_at=None, expires_at__gt=now).update(used_at=now):
        raise InvitationGone


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
