"""Whom a person who administers may act on."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from accounts.models import Member


def is_within_reach(actor: AbstractBaseUser | AnonymousUser, member: Member | None) -> bool:
    """Admins act on everybody, other staff on members: who changes staff could become them."""
    if member is None or not (member.is_staff or member.is_superuser):
        return True
    return bool(getattr(actor, "is_superuser", False))


def is_last_admin(member: Member) -> bool:
    """Whether nobody but this member could administer everything."""
    admins = Member.objects.filter(is_superuser=True, is_staff=True, is_active=True, leaving_at=None)
    return list(admins.values_list("pk", flat=True)[:2]) == [member.pk]
