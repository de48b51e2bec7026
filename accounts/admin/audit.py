"""The admin's page of the audit. Nobody edits it there, whatever their permissions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts.admin.audit_changes import changes_in_words
from accounts.admin.links import row_link
from accounts.models import AuditEntry
from gateway.admin.base import ReadOnlyAdmin
from gateway.admin.filters import TimeFilter
from gateway.formats import UNKNOWN, moment, with_notes

KINDS = {
    "member": gettext_lazy("member"),
    "account": gettext_lazy("account"),
    "apikey": gettext_lazy("API key"),
    "invitation": gettext_lazy("invitation"),
}
APPS = {"loginattempt": "tokens", "usagerecord": "gateway", "upstreamsession": "gateway"}
NEWEST = 2000
"""So many of the newest entries are looked at for the actions to choose from."""


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("kind")
    parameter_name = "target_kind__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(target_kind=self.value()) if self.value() else queryset


class ActionFilter(admin.SimpleListFilter):
    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        newest = set(AuditEntry.objects.values_list("action", flat=True)[:NEWEST])
        return sorted(((action, _(action)) for action in newest), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("written_at", "actor_name", "shown_action", "kind", "target", "concerned", "address")
    list_filter = (KindFilter, ActionFilter, ("member", AutocompleteSelectFilter), ("at", TimeFilter))
    list_filter_submit = True
    list_select_related = ("member",)
    search_fields = ("actor_name", "target_name", "member_name", "member__username", "changes")
    search_help_text = gettext_lazy("Who did it, to whom or what, or a former name")
    actions = None
    fields = ("written_at", "actor_name", "address", "shown_action", "kind", "target", "concerned")

    def history_view(self, *args: Any, **kwargs: Any) -> Any:
        """An entry has no history: it never changes."""
        return self.change_view(*args, **kwargs)

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def written_at(self, entry: AuditEntry) -> str:
        return moment(entry.at, seconds=True)

    @admin.display(description=gettext_lazy("action"), ordering="action")
    def shown_action(self, entry: AuditEntry) -> str:
        action = format_html("{}", _(entry.action) if entry.action else UNKNOWN)
        return with_notes(action, *changes_in_words(entry))

    @admin.display(description=gettext_lazy("kind"), ordering="target_kind")
    def kind(self, entry: AuditEntry) -> str:
        return str(KINDS.get(entry.target_kind, entry.target_kind))

    @admin.display(description=gettext_lazy("target"), ordering="target_name")
    def target(self, entry: AuditEntry) -> str:
        """Leads to the row's page, which tells if the row is gone."""
        app = APPS.get(entry.target_kind, "accounts")
        try:
            page = reverse(f"admin:{app}_{entry.target_kind}_change", args=[quote(entry.target_id)])
        except NoReverseMatch:
            return entry.target_name
        return format_html('<a class="link" href="{}">{}</a>', page, entry.target_name)

    @admin.display(description=gettext_lazy("member"), ordering="member_name")
    def concerned(self, entry: AuditEntry) -> str:
        """Whose it is: by the name that they have, or had."""
        return row_link(entry.member) if entry.member else entry.member_name or UNKNOWN
