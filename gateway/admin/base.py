"""What the admin pages of all rooms share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError, models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop
from unfold.admin import ModelAdmin as Theme

from accounts import audit
from accounts.models import Member
from gateway.addresses import client_address
from gateway.admin.lists import row_checkbox
from gateway.admin.outcomes import Outcomes

Row = TypeVar("Row", bound=models.Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ThemedAdmin
else:

    class ThemedAdmin(Theme):
        """Takes its model's type as the type checker wants it; the theme's own takes none at run time."""

        def __class_getitem__(cls, row):
            return cls


MOST_DIGITS = 18
"""Of an id: more are beyond what a column holds."""
ADDED = gettext_noop("Added.")
CHANGED = gettext_noop("Changed.")
REMOVED = gettext_noop("Removed.")


def note(request: HttpRequest, action: str, row: models.Model, changes: Sequence[audit.Change] = ()) -> None:
    """Write into the audit what a person did here, and from where. `action` is English: it is translated when shown."""
    actor = request.user if isinstance(request.user, Member) else None
    audit.note(actor=actor, action=action, target=row, address=client_address(request), changes=changes)


def history_link(row: models.Model) -> str:
    """The audit's entries about a row."""
    about = {"target_kind__exact": str(row._meta.model_name), "target_id__exact": str(row.pk)}
    return f"{reverse('admin:accounts_auditentry_changelist')}?{urlencode(about)}"


class ModelAdmin(ThemedAdmin[Row]):
    """A page in the admin's theme. What is done here is noted in the audit, beside Django's own history."""

    list_per_page = 50
    list_fullwidth = True
    # What the audit says of a changed field; of any other field, that something was changed.
    change_notes: ClassVar[dict[str, str]] = {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """A filter by what no column can hold, such as a NUL or the year 0, is a wrong address."""
        for name, value in ((name, value) for name, values in request.GET.lists() for value in values):
            if "\0" in value or (name.endswith("__exact") and value.isdecimal() and len(value) > MOST_DIGITS):
                raise BadRequest("The address filters by what no column can hold.")
        try:
            return super().changelist_view(request, extra_context)
        except (ValueError, OverflowError, DataError) as error:
            raise BadRequest("The address filters by what no column can hold.") from error

    def refusal(self, request: HttpRequest, permission: str, row: Row) -> str | Promise:
        """Why this person may not do to this row what needs the permission; "" where they may."""
        allowed = getattr(self, f"has_{permission}_permission")(request, row)
        return "" if allowed else gettext_lazy("not done, as you may not do this here.")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Django asks whether an action is permitted at all; here it gets only the rows to which it is."""
        actions: dict[str, Any] = super().get_actions(request)
        return {name: (self._on_permitted_rows(action), name, label) for name, (action, _, label) in actions.items()}

    def _on_permitted_rows(self, action: Any) -> Any:
        """The action, for whose other rows a message says why they are left out."""

        @wraps(action)
        def act(admin: Any, request: HttpRequest, queryset: QuerySet[Row]) -> Any:
            refusals = {row: self._why_refused(request, action, row) for row in queryset}
            refused = {row: why for row, why in refusals.items() if why}
            with Outcomes(request) as outcomes:
                for row, why in refused.items():
                    outcomes.refuse(row, why)
            if len(refused) == len(refusals):
                return None
            return action(admin, request, queryset.exclude(pk__in=[row.pk for row in refused]))

        return act

    def _why_refused(self, request: HttpRequest, action: Any, row: Row) -> str | Promise:
        for permission in getattr(action, "allowed_permissions", ()):
            if why := self.refusal(request, permission, row):
                return why
        return ""

    @admin.display(description=Theme.action_checkbox.short_description)
    def action_checkbox(self, row: Row) -> SafeString:
        return row_checkbox(row.pk)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What `log_change` notes: an action for each kind of change, with the old and new values that may be told."""
        changes = {each.column: each for each in audit.changes(self.model, form.initial, form.cleaned_data)}
        noted: dict[str, list[audit.Change]] = {}
        for field in form.changed_data:
            told = noted.setdefault(self.change_notes.get(field, CHANGED), [])
            told += [changes[field]] if field in changes else []
        return noted

    def log_addition(self, request: HttpRequest, obj: Any, message: Any = ADDED) -> Any:
        note(request, ADDED, obj)
        return super().log_addition(request, obj, ADDED)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        noted: dict[str, Sequence[audit.Change]] = {message: ()} if isinstance(message, str) else message
        for action, changes in noted.items():
            note(request, action, obj, changes)
        return super().log_change(request, obj, " ".join(noted))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            note(request, REMOVED, row)
        return super().log_deletions(request, queryset)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The history of a row is what the audit says of it."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        return redirect(history_link(row))


class ReadOnlyAdmin(ModelAdmin[Row]):
    """Rows that the gateway writes and people only read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The audit has nothing of what no person does."""
        context["show_history"] = False
        return super().render_change_form(request, context, *args, **kwargs)
