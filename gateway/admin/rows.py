"""Admin pages of usage and of the sessions at the school; and the site's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)

from accounts.models import Member
from gateway.admin import site as admin_site
from gateway.admin.base import ReadOnlyAdmin
from gateway.admin.dates import Dates, dates
from gateway.admin.filters import TimeFilter
from gateway.formats import UNKNOWN, badge, count, milliseconds, moment, with_notes
from gateway.models import TokenSource, UpstreamSession, UsageRecord
from gateway.templatetags.pages import relative
from gateway.templatetags.usage import status_badge
from gateway.usage import exports
from gateway.usage.explanations import explain
from gateway.usage.exports import Format
from gateway.usage.log import models_used
from gateway.usage.timeline import timeline

if TYPE_CHECKING:
    Pages = Paginator[UsageRecord]
else:
    Pages = Paginator

admin.site.site_header = admin.site.site_title = gettext_lazy("XIPU Gateway")
admin.site.empty_value_display = UNKNOWN
admin.site.index_title = gettext_lazy("Overview")
admin.site.login = admin_site.login  # type: ignore[method-assign]

REACH = 5_000
"""So many of the newest rows are counted and paged; older ones are reached by date."""
RECENT = 2_000
"""So many of the newest rows are looked at for the values to filter by."""
MATCHES = 20
"""So many members at most are found by a part of their name."""


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

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """By time alone: for the order of another column the database would sort the whole table."""
        is_oldest_first = "created_at" in super().get_ordering(request, queryset)
        return ["created_at", "pk"] if is_oldest_first else ["-created_at", "-pk"]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class RecentValuesFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """The values of a column among the newest rows."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        column = self.parameter_name or ""
        newest = UsageRecord.objects.values_list(column, flat=True)[:RECENT]
        return [(value, value) for value in sorted(set(newest)) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(**{self.parameter_name or "": value}) if value else queryset


class ModelFilter(RecentValuesFilter):
    title = gettext_lazy("model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(model, model) for model in models_used()]


class EndpointFilter(RecentValuesFilter):
    title = gettext_lazy("endpoint")
    parameter_name = "endpoint"


class ErrorFilter(RecentValuesFilter):
    title = gettext_lazy("error")
    parameter_name = "error_code"


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin[UsageRecord]):
    list_display = ("asked_at", "member", "model", "state", "first_token", "total", "tokens")
    list_filter = (
        ("member", AutocompleteSelectFilter),
        ("api_key", AutocompleteSelectFilter),
        ModelFilter,
        ("status", ChoicesDropdownFilter),
        ErrorFilter,
        EndpointFilter,
        ("stream", BooleanRadioFilter),
        ("created_at", TimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("member",)
    change_form_template = "admin/gateway/usagerecord/change_form.html"
    sortable_by = ("asked_at",)
    search_fields = ("request_id",)
    search_help_text = gettext_lazy("A request id, or a part of a member's name")
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
            {"fields": ("queued", "spacing", "login", "session", "first_token", "total")},
        ),
        (gettext_lazy("Tokens"), {"fields": ("prompt", "completion", "token_source")}),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        return [path("export/<slug:form>/", view, name="gateway_usagerecord_export"), *super().get_urls()]

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """The list with its filters and search, as a download that streams."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in Format.values:
            raise Http404
        chosen = self.get_changelist_instance(request)
        return exports.export(chosen.queryset, Format(form))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        record = kwargs.get("obj")
        if record is not None:
            context.update(stages=timeline(record), explanation=explain(record), state_shown=self.state(record))
        return super().render_change_form(request, context, *args, **kwargs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestRows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageRecord], search_term: str
    ) -> tuple[QuerySet[UsageRecord], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if UsageRecord.objects.filter(request_id=term).exists():
            return queryset.filter(request_id=term), False
        # Not both in one query, and not as a subquery: the database would read the whole table.
        found = Member.objects.filter(username__icontains=term).order_by("username")
        members = list(found.values_list("pk", flat=True)[:MATCHES])
        if len(members) < 2:
            return queryset.filter(member__in=members), False
        # A sum has no index: of several members SQLite would collect all rows by theirs, then sort them.
        return queryset.alias(owner=F("member_id") + 0).filter(owner__in=members), False

    @admin.display(description=gettext_lazy("time"), ordering="created_at")
    def asked_at(self, record: UsageRecord) -> str:
        return moment(record.created_at, seconds=True)

    @admin.display(description=gettext_lazy("status"))
    def state(self, record: UsageRecord) -> SafeString:
        http = format_html('<span class="http">{}</span>', record.http_status or UNKNOWN)
        return with_notes(status_badge(record) + http, record.error_code)

    @admin.display(description=gettext_lazy("queued"))
    def queued(self, record: UsageRecord) -> str:
        return milliseconds(record.queued_ms)

    @admin.display(description=gettext_lazy("spacing"))
    def spacing(self, record: UsageRecord) -> str:
        return milliseconds(record.spacing_ms)

    @admin.display(description=gettext_lazy("waiting for a login"))
    def login(self, record: UsageRecord) -> str:
        return milliseconds(record.login_ms)

    @admin.display(description=gettext_lazy("session at the school"))
    def session(self, record: UsageRecord) -> str:
        return milliseconds(record.session_ms)

    @admin.display(description=gettext_lazy("first token"))
    def first_token(self, record: UsageRecord) -> str:
        return milliseconds(record.first_token_ms)

    @admin.display(description=gettext_lazy("total"))
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
    list_display = ("__str__", "account", "state", "made_at", "used_until", "deleted_from", "delete_tries")
    list_filter = ("keep_alive", "created_at")
    list_select_related = ("account",)
    search_fields = ("account__username", "=school_id")
    search_help_text = gettext_lazy("An XJTLU username, or a session's id at the school")
    fields = ("account", "school_id", "state", "made_at", "used_until", "deleted_from", "delete_tries", "keep_alive")

    @admin.display(description=gettext_lazy("state"))
    def state(self, session: UpstreamSession) -> SafeString:
        if session.delete_at is not None:
            return badge(_("to be deleted"), "warn" if session.delete_tries > 1 else "quiet")
        if session.keep_alive:
            return badge(_("keep-alive"), "good")
        return badge(_("in use"), "busy") if session.lease_until > timezone.now() else badge(_("left over"), "warn")

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def made_at(self, session: UpstreamSession) -> str:
        return moment(session.created_at)

    @admin.display(description=gettext_lazy("in use until"), ordering="lease_until")
    def used_until(self, session: UpstreamSession) -> str:
        return relative(session.lease_until)

    @admin.display(description=gettext_lazy("to be deleted from"), ordering="delete_at")
    def deleted_from(self, session: UpstreamSession) -> str:
        return relative(session.delete_at)
