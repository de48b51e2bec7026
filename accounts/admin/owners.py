"""Rows that belong to a member: who may touch them depends on who the member is."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, ApiKey, Invitation, Member
from accounts.reach import is_within_reach
from gateway.admin.base import ModelAdmin, Row


class OwnedByMembers(ModelAdmin[Row]):
    """What belongs to staff is for admins alone to change, and nothing is done any more to who is leaving."""

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return super().has_change_permission(request, obj) and is_within_reach(request.user, owner(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj) and is_within_reach(request.user, owner(obj))
        return allowed and not is_leaving(obj)

    def refusal(self, request: HttpRequest, permission: str, row: Row) -> str | Promise:
        if not is_within_reach(request.user, owner(row)):
            return _("not done, as only an admin may touch what belongs to staff.")
        if is_leaving(row):
            return _("not done, as this member is leaving.")
        return super().refusal(request, permission, row)


def owner(row: object) -> Member | None:
    """The member whom the row is, or to whom it belongs; None for an invitation of the first admin."""
    if isinstance(row, Account | ApiKey | Invitation):
        return row.member
    return row if isinstance(row, Member) else None


def is_leaving(row: object) -> bool:
    member = owner(row)
    return member is not None and member.leaving_at is not None
