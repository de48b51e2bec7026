"""The admin's pages of API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from accounts.admin.forms import KeyForm, KeyIssueForm, RotateForm
from accounts.admin.handover import IssuedKey, handover_page, may_hand_over
from accounts.admin.links import list_link, row_link
from accounts.admin.owners import OwnedByMembers
from accounts.keys import KeyRefused, key_change, key_issue, key_revoke, key_rotate
from accounts.models import ApiKey
from gateway.admin.add import AddsByForm
from gateway.admin.base import note
from gateway.admin.buttons import Button, ButtonsAdmin
from gateway.admin.charts import usage_context
from gateway.admin.confirmation import Question, confirmation_page, is_confirmed
from gateway.admin.outcomes import Outcomes
from gateway.formats import UNKNOWN, badge, moment, relative, with_notes
from gateway.health import fleet
from gateway.once import SENT_BEFORE, is_first

REVOKED = gettext_noop("Revoked.")
ROTATED = gettext_noop("Rotated.")
ISSUED = gettext_noop("Issued.")
LIMITS = ("allowed_models", "allowed_networks", "requests_per_minute", "requests_per_day")
PREFERENCES = ("web_search", "fold_reasoning", "may_manage")


class KeyStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("live")), ("expired", _("expired")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        expired = Q(expires_at__lte=timezone.now())
        if self.value() == "revoked":
            return queryset.filter(revoked_at__isnull=False)
        if self.value() == "expired":
            return queryset.filter(expired, revoked_at=None)
        return queryset.filter(~expired, revoked_at=None) if self.value() == "live" else queryset


class ApiKeyAdmin(AddsByForm[ApiKey], OwnedByMembers[ApiKey], ButtonsAdmin[ApiKey]):
    form = KeyForm
    add_form_class = KeyIssueForm
    add_title = gettext_lazy("Issue an API key")
    add_form_fieldsets = (
        (None, {"fields": ("member", "name", "expires_at", "once")}),
        (gettext_lazy("Limits"), {"fields": LIMITS}),
        (gettext_lazy("Preferences"), {"fields": PREFERENCES}),
    )
    change_notes = {  # noqa: RUF012  of the class that it extends
        "name": gettext_noop("Renamed."),
        "expires_at": gettext_noop("Changed the expiry."),
        **dict.fromkeys(LIMITS, gettext_noop("Changed the limits.")),
        "may_manage": gettext_noop("Changed the access to the management API."),
    }
    list_display = ("shown_prefix", "member_link", "name", "state", "limits", "used_at", "ends_at", "made_at")
    list_display_links = ("shown_prefix", "name")
    list_filter = (KeyStateFilter, ("member", AutocompleteSelectFilter), "may_manage")
    list_filter_submit = True
    list_select_related = ("member",)
    search_fields = ("prefix", "name", "member__username")
    search_help_text = gettext_lazy("A key's beginning or name, or a member's name")
    actions = ("rotate", "revoke")
    change_form_template = "admin/accounts/apikey/change_form.html"
    readonly_fields = ("member_link", "shown_prefix", "state", "made_at", "used_at", "ended_at", "replaced", "more")
    fieldsets = (
        (None, {"fields": ("member_link", "shown_prefix", "state", "name", "expires_at")}),
        (gettext_lazy("Limits"), {"fields": LIMITS}),
        (gettext_lazy("Preferences"), {"fields": PREFERENCES}),
        (gettext_lazy("History"), {"fields": ("made_at", "used_at", "replaced", "ended_at", "more")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key is revoked, so that what it did can still be told."""
        return False

    # Columns

    @admin.display(description=gettext_lazy("key"), ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> SafeString:
        return format_html("<code>xg-{}-…</code>", key.prefix)

    @admin.display(description=gettext_lazy("member"), ordering="member__username")
    def member_link(self, key: ApiKey) -> SafeString:
        return row_link(key.member)

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge(_("revoked"), "bad")
        return badge(_("live"), "good") if key.is_live else badge(_("expired"), "warn")

    @admin.display(description=gettext_lazy("limits"))
    def limits(self, key: ApiKey) -> str:
        first, *others = _limits(key) or [UNKNOWN]
        return with_notes(format_html("{}", first), *others)

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def made_at(self, key: ApiKey) -> str:
        return moment(key.created_at)

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def used_at(self, key: ApiKey) -> str:
        if key.last_used_at is None:
            return UNKNOWN
        when = format_html('<span title="{}">{}</span>', moment(key.last_used_at), relative(key.last_used_at))
        return with_notes(when, _("from %(address)s") % {"address": key.last_used_from} if key.last_used_from else "")

    @admin.display(description=gettext_lazy("expires"), ordering="expires_at")
    def ends_at(self, key: ApiKey) -> str:
        if key.expires_at is None:
            return UNKNOWN
        return with_notes(format_html("{}", relative(key.expires_at)), moment(key.expires_at))

    @admin.display(description=gettext_lazy("revoked"), ordering="revoked_at")
    def ended_at(self, key: ApiKey) -> str:
        return moment(key.revoked_at)

    @admin.display(description=gettext_lazy("replaces"))
    def replaced(self, key: ApiKey) -> str:
        return UNKNOWN if key.replaces is None else row_link(key.replaces)

    @admin.display(description=gettext_lazy("see also"))
    def more(self, key: ApiKey) -> SafeString:
        return list_link("gateway_usagerecord", _("Usage of this key"), api_key__id__exact=key.pk)

    # Issue and change

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        settings = {name: value for name, value in form.cleaned_data.items() if name != "once"}
        back = reverse("admin:accounts_apikey_changelist")
        with Outcomes(request) as outcomes:
            if not may_hand_over(request, settings["member"], outcomes):
                return redirect(back)
        try:
            key, text = key_issue(**settings)
        except KeyRefused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(back)
        note(request, ISSUED, key)
        self._warn_of_unknown_models(request, key)
        return handover_page(request, back=back, title=_("New API key"), issued=[IssuedKey(key, text)])

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Write what was changed alone: a key that is revoked meanwhile stays revoked."""
        key_change(key=obj, **{name: form.cleaned_data[name] for name in form.changed_data})
        self._warn_of_unknown_models(request, obj)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        key = kwargs.get("obj")
        if key is not None:
            context.update(usage_context(request, api_key=key), show_save_and_add_another=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def _warn_of_unknown_models(self, request: HttpRequest, key: ApiKey) -> None:
        known = fleet.known_models()
        unknown = [model for model in key.allowed_models if model not in known]
        if known and unknown:
            text = _("No account is offered these models now: %(models)s. They are kept as you wrote them.")
            self.message_user(request, text % {"models": ", ".join(unknown)}, messages.WARNING)

    # Actions

    def buttons(self, row: ApiKey) -> tuple[Button, ...]:
        if row.revoked_at is not None:
            return ()
        revoke = Button("revoke", "block", confirm=gettext_lazy("Programs with this key stop working at once."))
        return (Button("rotate", "autorenew"), revoke) if row.is_live else (revoke,)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = list(queryset.select_related("member"))
        if not is_confirmed(request) and not self.is_one_row(request):
            return confirmation_page(request, _question(keys), opts=self.opts)
        with Outcomes(request) as outcomes:
            for key in keys:
                if key_revoke(key=key):
                    self.log_change(request, key, REVOKED)
                    outcomes.add(_with_owner(key), _("revoked."))
                else:
                    outcomes.refuse(_with_owner(key), _("revoked before."))
        return None

    @admin.action(description=gettext_lazy("Rotate"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Ask how long the old keys shall work, then show the new ones."""
        form = RotateForm(request.POST if "grace" in request.POST else None)
        if not form.is_valid():
            return self._ask_grace(request, queryset, form)
        if not is_first(request, form.cleaned_data["once"]):
            self.message_user(request, str(SENT_BEFORE), messages.ERROR)
            return None
        grace = timedelta(hours=form.cleaned_data["grace"])
        with Outcomes(request) as outcomes:
            rotated = [self._rotate(request, key, grace, outcomes) for key in queryset.select_related("member")]
        issued = [each for each in rotated if each is not None]
        back = reverse("admin:accounts_apikey_changelist")
        return handover_page(request, back=back, issued=issued) if issued else None

    def _rotate(self, request: HttpRequest, key: ApiKey, grace: timedelta, outcomes: Outcomes) -> IssuedKey | None:
        try:
            new, text = key_rotate(key=key, grace=grace)
        except KeyRefused as refused:
            outcomes.refuse(_with_owner(key), str(refused))
            return None
        self.log_change(request, key, ROTATED)
        note(request, ISSUED, new)
        return IssuedKey(new, text)

    def _ask_grace(self, request: HttpRequest, queryset: QuerySet[ApiKey], form: RotateForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Rotate"),
            "opts": self.opts,
            "rows": list(queryset),
            "form": form,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/accounts/apikey/rotate.html", context)


def _with_owner(key: ApiKey) -> str:
    return f"{key.member} – {key}"


def _question(keys: list[ApiKey]) -> Question:
    return Question(
        action="revoke",
        rows=keys,
        lead=_("These keys stop working at once, for good:"),
        yes=ngettext("Revoke %(n)d key", "Revoke %(n)d keys", len(keys)) % {"n": len(keys)},
    )


def _limits(key: ApiKey) -> list[str]:
    """What bounds the key, in words."""
    models, networks = len(key.allowed_models), len(key.allowed_networks)
    told = [
        (key.requests_per_minute, _("%(n)s per minute") % {"n": key.requests_per_minute}),
        (key.requests_per_day, _("%(n)s per day") % {"n": key.requests_per_day}),
        (models, ngettext("%(n)d model", "%(n)d models", models) % {"n": models}),
        (networks, ngettext("%(n)d network", "%(n)d networks", networks) % {"n": networks}),
        (key.may_manage, _("management API")),
    ]
    return [words for bound, words in told if bound]
