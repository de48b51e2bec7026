"""Deleting in the admin: a member with an XJTLU account leaves, with the sessions at the school cleaned first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account, Member
from gateway import departure
from gateway.admin.base import ModelAdmin, Row


class RemovesMembers(ModelAdmin[Row]):
    """The ordinary delete and a bulk action, both with one page that says what will happen."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description=gettext_lazy("Remove member"), permissions=["delete"])
    def remove_members(self, request: HttpRequest, queryset: QuerySet[Row]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self._ask(request, queryset)
        self.log_deletions(request, queryset)
        self.delete_queryset(request, queryset)
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
        answer = self.remove_members(request, self.get_queryset(request).filter(pk=row.pk))
        return answer or redirect(f"admin:{opts.app_label}_{opts.model_name}_changelist")

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        member = obj.member if isinstance(obj, Account) else obj
        assert isinstance(member, Member)
        name = member.username
        if hasattr(member, "account"):
            departure.begin(member=member)
            text = _(
                "%(name)s is leaving: the API keys are revoked. The sessions at the school are cleaned first, then "
                "member, account and secrets are erased; usage records stay without a name."
            )
        else:
            member.delete()
            text = _("%(name)s was deleted.")
        self.message_user(request, text % {"name": name}, messages.SUCCESS)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def _ask(self, request: HttpRequest, queryset: QuerySet[Row]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Are you sure?"),
            "opts": self.opts,
            "rows": list(queryset),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/accounts/remove_confirmation.html", context)
