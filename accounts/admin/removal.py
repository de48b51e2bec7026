"""Deleting in the admin: a member with an XJTLU account leaves, with the sessions at the school cleaned first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.owners import OwnedByMembers, owner
from accounts.reach import is_last_admin
from gateway import departure
from gateway.admin.base import Row
from gateway.admin.confirmation import Question, confirmation_page, is_confirmed
from gateway.admin.outcomes import Outcomes

LEAVING = gettext_lazy(
    "leaving. The API keys are revoked. The sessions at the school are cleaned first, then member, account and secrets "
    "are erased; usage records stay without a name."
)


class RemovesMembers(OwnedByMembers[Row]):
    """The ordinary delete and a bulk action, both with one page that says what will happen."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def refusal(self, request: HttpRequest, permission: str, row: Row) -> str | Promise:
        if why := super().refusal(request, permission, row):
            return why
        member = owner(row)
        if permission == "delete" and member is not None and is_last_admin(member):
            return gettext_lazy("not removed, as nobody else is an active admin. Make somebody else an admin first.")
        return ""

    @admin.action(description=gettext_lazy("Remove member"), permissions=["delete"])
    def remove_members(self, request: HttpRequest, queryset: QuerySet[Row]) -> HttpResponse | None:
        if not is_confirmed(request):
            return confirmation_page(request, _question(list(queryset)), opts=self.opts)
        with Outcomes(request) as outcomes:
            for row in queryset:
                # Asked again for each: of two admins the first may go, the second not.
                if why := self.refusal(request, "delete", row):
                    outcomes.refuse(row, why)
                else:
                    outcomes.add(row, self._remove(request, row))
        return None

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, row):
            raise PermissionDenied
        opts = self.opts
        if row is None:
            raise Http404
        remove = self._on_permitted_rows(type(self).remove_members)
        answer: HttpResponse | None = remove(self, request, self.get_queryset(request).filter(pk=row.pk))
        return answer or redirect(f"admin:{opts.app_label}_{opts.model_name}_changelist")

    def _remove(self, request: HttpRequest, row: Row) -> str | Promise:
        """Let the row's member leave, or go at once; what is told of it."""
        member = owner(row)
        assert member is not None
        self.log_deletions(request, [row])
        if hasattr(member, "account"):
            departure.begin(member=member)
            return LEAVING
        member.delete()
        return _("deleted.")


def _question(rows: list[Any]) -> Question:
    return Question(
        action="remove_members",
        rows=rows,
        lead=_("These members are removed for good:"),
        more=_(
            "API keys stop working at once. The sessions at the school are cleaned up first, then member, XJTLU "
            "account and secrets are erased; usage records stay without a name. A user without an XJTLU account is "
            "deleted at once."
        ),
        yes=_("Yes, remove"),
    )
