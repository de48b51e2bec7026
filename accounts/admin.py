"""Admin pages of members, their XJTLU accounts and their API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin_keys import issue, keys_page
from accounts.admin_removal import RemovesMembers
from accounts.admin_state import next_refresh, state_badge, state_notes, token_of
from accounts.forms import AccountForm, KeyIssueForm, MemberAddForm
from accounts.keys import key_revoke
from accounts.models import Account, ApiKey, Member
from accounts.services import account_pause, account_resume, member_add, password_change
from gateway import renaming
from gateway.admin_add import AddsByForm
from gateway.admin_buttons import ButtonsAdmin
from gateway.admin_format import UNKNOWN, badge, moment, with_notes
from gateway.admin_once import SENT_BEFORE, is_first
from gateway.errors import GatewayError
from tokens.admin import outcome_badge
from tokens.logins import login_ask
from tokens.models import Trigger
from tokens.states import State, with_state

if TYPE_CHECKING:
    from tokens.states import StatedAccount

    MemberBase = UserAdmin[Member]
else:
    MemberBase = UserAdmin


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(AddsByForm[Account], RemovesMembers[Account], ButtonsAdmin[Account]):
    form = AccountForm
    add_form_class = MemberAddForm
    add_title = gettext_lazy("Add a member with an XJTLU account")
    add_fieldsets = (
        (None, {"fields": ("name", "email")}),
        (gettext_lazy("XJTLU account"), {"fields": ("xjtlu_username", "xjtlu_password")}),
        (gettext_lazy("API key"), {"fields": ("issue_key",)}),
    )
    list_display = ("username", "member_link", "state", "next_refresh", "last_login")
    list_filter = (StateFilter,)
    search_fields = ("username", "member__username", "member__email")
    list_per_page = 50
    actions = ("log_in_now", "issue_key", "revoke_keys", "pause", "resume", "remove_members")
    readonly_fields = ("member_link", "state", "next_refresh", "last_login", "stored", "captured", "added_at", "more")
    change_form_template = "admin/accounts/account/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return with_state(super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        may_change = self.has_change_permission(request, obj)
        fields = ("member_link", "username", "stored", *(("new_password",) if may_change else ()))
        return (
            (None, {"fields": fields}),
            (gettext_lazy("Login"), {"fields": ("captured", "next_refresh", "last_login", "added_at", "more")}),
        )

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_leaving(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_leaving(obj)

    def has_issue_key_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.add_apikey")

    def has_revoke_key_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    # Columns

    @admin.display(description=gettext_lazy("member"), ordering="member__username")
    def member_link(self, account: Account) -> SafeString:
        return _link(account.member)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state(self, account: StatedAccount) -> SafeString:
        return with_notes(state_badge(account), *state_notes(account))

    @admin.display(description=gettext_lazy("next refresh"), ordering="token__refresh_at")
    def next_refresh(self, account: StatedAccount) -> str:
        return next_refresh(account)

    @admin.display(description=gettext_lazy("last login"), ordering="last_ended_at")
    def last_login(self, account: StatedAccount) -> str:
        if not account.last_outcome:
            return UNKNOWN
        return with_notes(outcome_badge(account.last_outcome), moment(account.last_ended_at))

    @admin.display(description=gettext_lazy("XJTLU password"))
    def stored(self, account: Account) -> str:
        return _("stored, encrypted") if account.has_password else _("not stored")

    @admin.display(description=gettext_lazy("token captured"))
    def captured(self, account: Account) -> str:
        token = token_of(account)
        return moment(token.captured_at if token else None)

    @admin.display(description=gettext_lazy("added"))
    def added_at(self, account: Account) -> str:
        return moment(account.created_at)

    @admin.display(description=gettext_lazy("see also"))
    def more(self, account: Account) -> SafeString:
        return format_html(
            '<a href="{}?member__id__exact={}">{}</a> · <a href="{}?account__id__exact={}">{}</a> · '
            '<a href="{}?member__id__exact={}">{}</a>',
            *(reverse("admin:accounts_apikey_changelist"), account.member_id, _("API keys")),
            *(reverse("admin:tokens_loginattempt_changelist"), account.pk, _("Logins")),
            *(reverse("admin:gateway_usagerecord_changelist"), account.member_id, _("Usage")),
        )

    # Add and change

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        data = form.cleaned_data
        account = member_add(
            name=data["name"],
            email=data["email"],
            xjtlu_username=data["xjtlu_username"],
            xjtlu_password=data["xjtlu_password"],
        )
        self.log_addition(request, account, [{"added": {}}])
        if account.has_password:
            login_ask(account=account, trigger=Trigger.ADDED)
        page = reverse("admin:accounts_account_change", args=[account.pk])
        issued = [issue(account.member)] if data["issue_key"] else []
        return keys_page(request, issued, added=data["name"], back=page, log_in=account.has_password)

    @method_decorator(sensitive_post_parameters())
    def change_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(*args, **kwargs)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("obj") is not None:
            context["state_shown"] = self.state(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        account = Account.objects.select_related("member").get(pk=obj.pk)
        if "username" in form.changed_data:
            renaming.rename(account=account, xjtlu_username=form.cleaned_data["username"])
        if form.cleaned_data["new_password"]:
            password_change(account=account, xjtlu_password=form.cleaned_data["new_password"])
            self._ask_login(request, account, Trigger.ADDED)

    def _ask_login(self, request: HttpRequest, account: Account, trigger: Trigger) -> None:
        try:
            login_ask(account=account, trigger=trigger)
        except GatewayError as error:
            self.message_user(request, f"{account}: {error.message}", messages.ERROR)
            return
        text = _("%(account)s: a login is on its way. Reload this page to see how it ends.")
        self.message_user(request, text % {"account": account}, messages.SUCCESS)

    # Actions

    def buttons(self, row: Account) -> tuple[str, ...]:
        if _is_leaving(row):
            return ()
        return ("log_in_now", "issue_key", "revoke_keys", "resume" if row.paused_at else "pause")

    @admin.action(description=gettext_lazy("Log in now"), permissions=["change"])
    def log_in_now(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset:
            self._ask_login(request, account, Trigger.PERSON)
            self.log_change(request, account, _("Asked for a login."))

    @admin.action(description=gettext_lazy("Issue a key"), permissions=["issue_key"])
    def issue_key(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        if not is_first(request, request.POST.get("once")):
            self.message_user(request, str(SENT_BEFORE), messages.ERROR)
            return None
        issued = []
        for account in queryset:
            if _is_leaving(account):
                self._refuse_leaving(request, account)
                continue
            issued.append(issue(account.member))
            self.log_change(request, account, _("Issued an API key."))
        back = reverse("admin:accounts_account_changelist")
        return keys_page(request, issued, back=back) if issued else None

    @admin.action(description=gettext_lazy("Revoke all keys"), permissions=["revoke_key"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset:
            keys = list(ApiKey.objects.filter(member=account.member, revoked_at=None))
            for key in keys:
                key_revoke(key=key)
            self.log_change(request, account, _("Revoked all API keys."))
            text = ngettext("%(account)s: %(n)d key revoked.", "%(account)s: %(n)d keys revoked.", len(keys))
            self.message_user(request, text % {"account": account, "n": len(keys)}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Pause"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset:
            account_pause(account=account)
            self.log_change(request, account, _("Paused."))
            text = _("%(account)s is paused: its requests are refused, and it does not log in.")
            self.message_user(request, text % {"account": account}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset:
            account_resume(account=account)
            self.log_change(request, account, _("Resumed."))
            self.message_user(request, _("%(account)s is resumed.") % {"account": account}, messages.SUCCESS)

    def _refuse_leaving(self, request: HttpRequest, account: Account) -> None:
        text = _("%(account)s is leaving: no key was issued.") % {"account": account}
        self.message_user(request, text, messages.ERROR)


@admin.register(Member)
class MemberAdmin(RemovesMembers[Member], MemberBase):
    add_form_template = "admin/accounts/member/add_form.html"
    list_display = ("username", "email", "account_link", "live_keys", "status", "is_staff")
    list_filter = ("is_staff", "is_superuser", "is_active", ("account", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("username", "email", "account__username")
    actions = ("remove_members",)
    readonly_fields = ("account_link", "last_login", "date_joined", "leaving_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "account_link")}),
        (
            gettext_lazy("Permissions"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (gettext_lazy("Dates"), {"fields": ("last_login", "date_joined", "leaving_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        live = Q(api_keys__revoked_at=None) & (
            Q(api_keys__expires_at=None) | Q(api_keys__expires_at__gt=timezone.now())
        )
        return super().get_queryset(request).annotate(live_keys=Count("api_keys", filter=live))

    def has_delete_permission(self, request: HttpRequest, obj: Member | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.leaving_at is None)

    @admin.display(description=gettext_lazy("XJTLU account"), ordering="account__username")
    def account_link(self, member: Member) -> str:
        account = getattr(member, "account", None)
        return UNKNOWN if account is None else _link(account)

    @admin.display(description=gettext_lazy("live keys"), ordering="live_keys")
    def live_keys(self, member: Any) -> str:
        page = reverse("admin:accounts_apikey_changelist")
        return format_html('<a href="{}?member__id__exact={}">{}</a>', page, member.pk, member.live_keys)

    @admin.display(description=gettext_lazy("state"), ordering="leaving_at")
    def status(self, member: Member) -> SafeString:
        if member.leaving_at:
            return badge(_("leaving"), "quiet")
        return badge(_("active"), "good") if member.is_active else badge(_("not active"), "warn")


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


@admin.register(ApiKey)
class ApiKeyAdmin(AddsByForm[ApiKey], ButtonsAdmin[ApiKey]):
    add_form_class = KeyIssueForm
    add_title = gettext_lazy("Issue an API key")
    add_fieldsets = ((None, {"fields": ("member", "name", "expires_at", "once")}),)
    list_display = ("shown_prefix", "member_link", "name", "state", "made_at", "used_at", "ends_at", "ended_at")
    list_display_links = ("shown_prefix", "name")
    list_filter = (KeyStateFilter, "created_at", "last_used_at")
    list_select_related = ("member",)
    search_fields = ("prefix", "name", "member__username")
    actions = ("revoke",)
    fields = (
        "member_link",
        "shown_prefix",
        "name",
        "expires_at",
        "web_search",
        "fold_reasoning",
        "state",
        "made_at",
        "used_at",
        "ended_at",
    )
    readonly_fields = ("member_link", "shown_prefix", "state", "made_at", "used_at", "ended_at")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """A key is revoked, so that what it did can still be told."""
        return False

    @admin.display(description=gettext_lazy("key"), ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> SafeString:
        return format_html("<code>xg-{}-…</code>", key.prefix)

    @admin.display(description=gettext_lazy("member"), ordering="member__username")
    def member_link(self, key: ApiKey) -> SafeString:
        return _link(key.member)

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge(_("revoked"), "bad")
        return badge(_("live"), "good") if key.is_live else badge(_("expired"), "warn")

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def made_at(self, key: ApiKey) -> str:
        return moment(key.created_at)

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def used_at(self, key: ApiKey) -> str:
        return moment(key.last_used_at)

    @admin.display(description=gettext_lazy("expires"), ordering="expires_at")
    def ends_at(self, key: ApiKey) -> str:
        return moment(key.expires_at)

    @admin.display(description=gettext_lazy("revoked"), ordering="revoked_at")
    def ended_at(self, key: ApiKey) -> str:
        return moment(key.revoked_at)

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        data = form.cleaned_data
        issued = issue(data["member"], name=data["name"], expires_at=data["expires_at"])
        self.log_addition(request, issued.key, [{"added": {}}])
        return keys_page(request, [issued], back=reverse("admin:accounts_apikey_changelist"))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Write what was changed alone: a key that is revoked meanwhile stays revoked."""
        obj.save(update_fields=form.changed_data)

    def buttons(self, row: ApiKey) -> tuple[str, ...]:
        return ("revoke",) if row.revoked_at is None else ()

    @admin.action(description=gettext_lazy("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            key_revoke(key=key)
            self.log_change(request, key, _("Revoked."))
            self.message_user(request, _("%(key)s is revoked.") % {"key": key}, messages.SUCCESS)


def _is_leaving(account: Account | None) -> bool:
    return account is not None and account.member.leaving_at is not None


def _link(row: Model) -> SafeString:
    opts = row._meta
    page = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', page, row)
