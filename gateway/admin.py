"""Admin pages of usage and of the sessions at the school; and the site's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Member
from gateway.admin_base import ReadOnlyAdmin
from gateway.admin_dates import Dates, dates
from gateway.admin_format import UNKNOWN, Tone, badge, count, milliseconds, moment, with_notes
from gateway.models import TokenSource, UpstreamSession, UsageRecord, UsageStatus

if TYPE_CHECKING:
    Pages = Paginator[UsageRecord]
else:
    Pages = Paginator

admin.site.site_header = admin.site.site_title = gettext_lazy("XIPU Gateway")
admin.site.empty_value_display = UNKNOWN
admin.site.index_title = gettext_lazy("Administration")

REACH = 10_000
"""So many of the newest rows are counted, paged and looked at for filter values; older ones are reached by date."""
TONES: dict[UsageStatus, Tone] = {
    UsageStatus.OPEN: "busy",
    UsageStatus.DONE: "good",
    UsageStatus.FAILED: "bad",
    UsageStatus.CANCELLED: "quiet",
    UsageStatus.LOST: "warn",
}


class BoundedPaginator(Pages):
    """Pages of the newest rows: to count a table of millions takes longer than to show it."""

    @cached_property
    def count(self) -> int:
        newest: Any = self.object_list
        return int(newest[:REACH].count())


class NewestRows(ChangeList):
    """Shows no count beside the search field: the page's foot tells how far the count goes."""

    @property
    def reach(self) -> int:
        return REACH

    @cached_property
    def dates(self) -> Dates:
        return dates(self)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class RecentValuesFilter(admin.SimpleListFilter):
    """The values of a column among the newest rows."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        column = self.parameter_name or ""
        newest = UsageRecord.objects.values_list(column, flat=True)[:REACH]
        return [(value, value) for value in sorted(set(newest)) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(**{self.parameter_name or "": value}) if value else queryset


class ModelFilter(RecentValuesFilter):
    title = gettext_lazy("model")
    parameter_name = "model"


class EndpointFilter(RecentValuesFilter):
    title = gettext_lazy("endpoint")
    parameter_name = "endpoint"


class ErrorFilter(RecentValuesFilter):
    title = gettext_lazy("error")
    parameter_name = "error_code"


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin[UsageRecord]):
    list_display = ("asked_at", "member", "model", "state", "first_token", "total", "tokens")
    list_filter = ("status", ErrorFilter, ModelFilter, EndpointFilter, "stream", "created_at", "member")
    list_select_related = ("member",)
    list_per_page = 50
    search_fields = ("request_id",)
    search_help_text = gettext_lazy("A request id, or a part of a member's name.")
    date_hierarchy = "created_at"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    fieldsets = (
        (None, {"fields": ("request_id", "asked_at", "member", "api_key", "account")}),
        (
            gettext_lazy("Request"),
            {"fields": ("endpoint", "model", "stream", "user_agent", "retry_count", "repairs")},
        ),
        (gettext_lazy("Outcome"), {"fields": ("state", "http_status", "error_code")}),
        (
            gettext_lazy("Times"),
            {"fields": ("queued", "spacing", "login", "first_token", "total")},
        ),
        (gettext_lazy("Tokens"), {"fields": ("prompt", "completion", "token_source")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestRows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageRecord], search_term: str
    ) -> tuple[QuerySet[UsageRecord], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        members = Member.objects.filter(username__icontains=term)
        return queryset.filter(Q(request_id=term) | Q(member__in=members)), False

    @admin.display(description=gettext_lazy("time"), ordering="created_at")
    def asked_at(self, record: UsageRecord) -> str:
        return moment(record.created_at, seconds=True)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, record: UsageRecord) -> SafeString:
        status = UsageStatus(record.status)
        http = format_html('<span class="http">{}</span>', record.http_status or UNKNOWN)
        return with_notes(badge(status.label, TONES[status]) + http, record.error_code)

    @admin.display(description=gettext_lazy("queued"))
    def queued(self, record: UsageRecord) -> str:
        return milliseconds(record.queued_ms)

    @admin.display(description=gettext_lazy("spacing"))
    def spacing(self, record: UsageRecord) -> str:
        return milliseconds(record.spacing_ms)

    @admin.display(description=gettext_lazy("waiting for a login"))
    def login(self, record: UsageRecord) -> str:
        return milliseconds(record.login_ms)

    @admin.display(description=gettext_lazy("first token"), ordering="first_token_ms")
    def first_token(self, record: UsageRecord) -> str:
        return milliseconds(record.first_token_ms)

    @admin.display(description=gettext_lazy("total"), ordering="total_ms")
    def total(self, record: UsageRecord) -> str:
        return milliseconds(record.total_ms)

    @admin.display(description=gettext_lazy("prompt tokens"))
    def prompt(self, record: UsageRecord) -> str:
        return count(record.prompt_tokens, estimated=record.token_source == TokenSource.ESTIMATE)

    @admin.display(description=gettext_lazy("completion tokens"))
    def completion(self, record: UsageRecord) -> str:
        return count(record.completion_tokens, estimated=record.token_source == TokenSource.ESTIMATE)

    @admin.display(description=gettext_lazy("tokens in / out"))
    def tokens(self, record: UsageRecord) -> str:
        return _("%(prompt)s / %(completion)s") % {
            "prompt": self.prompt(record),
            "completion": self.completion(record),
        }


@admin.register(UpstreamSession)
class UpstreamSessionAdmin(ReadOnlyAdmin[UpstreamSession]):
    list_display = ("__str__", "account", "school_id", "made_at", "used_until", "deleted_from", "keep_alive")
    list_filter = ("keep_alive", "created_at")
    list_select_related = ("account",)
    search_fields = ("account__username", "=school_id")
    fields = ("account", "school_id", "made_at", "used_until", "deleted_from", "delete_tries", "keep_alive")

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def made_at(self, session: UpstreamSession) -> str:
        return moment(session.created_at)

    @admin.display(description=gettext_lazy("in use until"), ordering="lease_until")
    def used_until(self, session: UpstreamSession) -> str:
        return moment(session.lease_until)

    @admin.display(description=gettext_lazy("to be deleted from"), ordering="delete_at")
    def deleted_from(self, session: UpstreamSession) -> str:
        return moment(session.delete_at)
