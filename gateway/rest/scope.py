"""Whose things a request sees: the member's own, or those of the member whom staff name with `?member=`.

Staff may do here what they may do in the admin: being staff alone opens nothing of others.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request

from accounts.models import ApiKey, Member
from accounts.reach import is_within_reach
from gateway.models import UsageRecord

EVERYBODY = "*"
MEMBER_PARAMETER = OpenApiParameter(
    "member",
    str,
    description="Staff with the permission only: the username of another member, or `*` for everybody's.",
)


def asker(request: Request) -> Member:
    """The member who asks; views let nobody else through."""
    if not isinstance(request.user, Member):
        raise exceptions.NotAuthenticated
    return request.user


def refuse_without(request: Request, permission: str) -> None:
    """Raise where staff lack the permission. Who may change rows may see them, as in the admin."""
    may_change = permission.replace(".view_", ".change_")
    if not any(asker(request).has_perm(each) for each in (permission, may_change)):
        message = _("You need the permission “%(permission)s” for this. An admin gives it on your page in the admin.")
        raise exceptions.PermissionDenied(message % {"permission": permission})


def member_asked_for(request: Request, permission: str) -> Member | None:
    """The asker, or the member whom staff with this permission name; None for everybody."""
    member = asker(request)
    name = request.query_params.get("member", member.get_username())
    if name == member.get_username():
        return member
    if not member.is_staff:
        raise exceptions.PermissionDenied(_("Only staff may name another member."))
    refuse_without(request, permission)
    return None if name == EVERYBODY else _named(name)


def one_member(request: Request, permission: str) -> Member:
    """As before, where everybody makes no sense."""
    member = member_asked_for(request, permission)
    if member is None:
        raise exceptions.ValidationError({"member": [_("Name one member here.")]})
    return member


def refuse_out_of_reach(request: Request, member: Member) -> None:
    """Raise where the asker wants to touch what belongs to other staff, without being an admin."""
    actor = asker(request)
    if member != actor and not is_within_reach(actor, member):
        raise exceptions.PermissionDenied(_("Only an admin may touch what belongs to staff."))


def keys_of(member: Member | None) -> QuerySet[ApiKey]:
    keys = ApiKey.objects.select_related("member").order_by("-created_at", "-pk")
    return keys if member is None else keys.filter(member=member)


def records_of(member: Member | None) -> QuerySet[UsageRecord]:
    records = UsageRecord.objects.select_related("member", "api_key").order_by("-created_at", "-pk")
    return records if member is None else records.filter(member=member)


def _named(name: str) -> Member:
    member = Member.objects.filter(username=name).first()
    if member is None:
        raise exceptions.NotFound(_("There is no member of this name."))
    return member
