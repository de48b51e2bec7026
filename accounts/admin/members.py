"""The admin's pages of members: who may sign in, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Permission
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.admin.forms import MemberForm, StaffAddForm
from accounts.admin.handover import handover_page, invite, invite_button, may_invite
from accounts.admin.links import list_link, row_link
from accounts.admin.removal import RemovesMembers
from accounts.models import Invitation, Member
from accounts.second_factor import factor_of, second_factor_remove
from accounts.services import staff_add
from gateway.admin.add import AddsByForm
from gateway.admin.buttons import Button, ButtonsAdmin
from gateway.formats import UNKNOWN, badge, moment
from gateway.once import SENT_BEFORE, is_first
from gateway.templatetags.pages import relative

if TYPE_CHECKING:
    MemberBase = UserAdmin[Member]
    PermissionsBase = forms.ModelMultipleChoiceField[Permission]
else:
    MemberBase = UserAdmin
    PermissionsBase = forms.ModelMultipleChoiceField

PRIVILEGES = ("is_staff", "is_superuser", "user_permissions")
ALL = ("view", "add", "change", "delete")
PERMISSIONS = {
    "member": ("view", "change", "delete"),
    "account": ALL,
    "apikey": ("view", "add", "change"),
    "invitation": ("view", "add"),
    "loginattempt": ("view",),
    "usagerecord": ("view",),
    "upstreamsession": ("view",),
    "auditentry": ("view",),
    "heartbeat": ("view",),
}
"""What the admin's pages ask for, by model. Other permissions open nothing."""
VERBS = {
    "view": gettext_lazy("see %(rows)s"),
    "add": gettext_lazy("add %(rows)s"),
    "change": gettext_lazy("change %(rows)s"),
    "delete": gettext_lazy("remove %(rows)s"),
}


FACTOR_REMOVED = gettext_noop("Removed the second factor.")
FORGET_FACTOR = Button(
    "turn_off_second_factor",
    "no_encryption",
    confirm=gettext_lazy("Make sure that it is the member who asks: then the password alone signs in."),
)


class PermissionsField(PermissionsBase):
    """Permissions in words, such as “see accounts”."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, permission: Any) -> str:
        return permission_in_words(permission.codename, permission.content_type.model_class())


def permission_in_words(codename: str, model: type[models.Model]) -> str:
    return str(VERBS[codename.partition("_")[0]]) % {"rows": model._meta.verbose_name_plural}


class MemberAdmin(AddsByForm[Member], MemberBase, RemovesMembers[Member], ButtonsAdmin[Member]):
    form = MemberForm
    add_form_class = StaffAddForm
    add_title = gettext_lazy("Add staff")
    add_form_fieldsets = ((None, {"fields": ("name", "email", "role")}),)
    change_password_form = AdminPasswordChangeForm
    add_form_template = "admin/accounts/member/add_form.html"
    change_form_template = "admin/change_form_with_buttons.html"
    change_notes = {  # noqa: RUF012  of the class that it extends
        "username": gettext_noop("Renamed."),
        "password": gettext_noop("Changed the password."),
        "is_active": gettext_noop("Changed whether the member may sign in."),
        "is_staff": gettext_noop("Changed the permissions."),
        "is_superuser": gettext_noop("Changed the permissions."),
        "user_permissions": gettext_noop("Changed the permissions."),
    }
    list_display = ("username", "email", "account_link", "live_keys", "status", "role", "seen_at")
    list_filter = ("is_staff", "is_superuser", "is_active", ("account", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("username", "email", "account__username")
    search_help_text = gettext_lazy("A name, an e-mail or an XJTLU username")
    ordering = ("username",)
    filter_horizontal = ()
    actions = ("invite", "turn_off_second_factor", "remove_members")
    readonly_fields = ("account_link", "seen_at", "joined_at", "leaves_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "account_link")}),
        (gettext_lazy("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions")}),
        (gettext_lazy("Dates"), {"fields": ("seen_at", "joined_at", "leaves_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        live = Q(api_keys__revoked_at=None) & (
            Q(api_keys__expires_at=None) | Q(api_keys__expires_at__gt=timezone.now())
        )
        invited = Invitation.objects.filter(member=OuterRef("pk"), used_at=None, expires_at__gt=timezone.now())
        return (
            super().get_queryset(request).annotate(live_keys=Count("api_keys", filter=live), is_invited=Exists(invited))
        )

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Only what the gateway's own pages ask for can be permitted."""
        if db_field.name != "user_permissions":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        names = [f"{verb}_{model}" for model, verbs in PERMISSIONS.items() for verb in verbs]
        ours = Permission.objects.filter(codename__in=names).select_related("content_type")
        return PermissionsField(
            ours, label=_("May do"), required=False, help_text=_("An admin may do everything anyway.")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> Any:
        """Only admins make others staff."""
        return (*self.readonly_fields, *(() if request.user.is_superuser else PRIVILEGES))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever is added here gets into the admin. Members with an XJTLU account are added with it."""
        return bool(request.user.is_superuser)

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        data = form.cleaned_data
        member = staff_add(name=data["name"], email=data["email"], is_admin=data["role"] == "admin")
        self.log_addition(request, member)
        lead = _("%(member)s was added. With the link they choose a password and get into the administration.")
        return handover_page(
            request,
            back=reverse("admin:accounts_member_change", args=[member.pk]),
            title=_("Staff added"),
            invited=invite(request, [member]),
            lead=lead % {"member": member},
        )

    def has_invite_permission(self, request: HttpRequest, obj: Member | None = None) -> bool:
        return may_invite(request)

    @admin.display(description=gettext_lazy("XJTLU account"), ordering="account__username")
    def account_link(self, member: Member) -> str:
        account = getattr(member, "account", None)
        return UNKNOWN if account is None else row_link(account)

    @admin.display(description=gettext_lazy("live keys"), ordering="live_keys")
    def live_keys(self, member: Any) -> SafeString:
        return list_link("accounts_apikey", member.live_keys, member__id__exact=member.pk)

    @admin.display(description=gettext_lazy("state"), ordering="leaving_at")
    def status(self, member: Any) -> SafeString:
        if member.leaving_at:
            return badge(_("leaving"), "quiet")
        if not member.is_active:
            return badge(_("not active"), "warn")
        if member.has_usable_password():
            return badge(_("active"), "good")
        return badge(_("invited"), "busy") if member.is_invited else badge(_("has not joined"), "warn")

    @admin.display(description=gettext_lazy("role"), ordering="is_staff")
    def role(self, member: Member) -> str:
        if member.is_superuser:
            return _("admin")
        return _("staff") if member.is_staff else _("member")

    @admin.display(description=gettext_lazy("last signed in"), ordering="last_login")
    def seen_at(self, member: Member) -> str:
        return relative(member.last_login)

    @admin.display(description=gettext_lazy("added"), ordering="date_joined")
    def joined_at(self, member: Member) -> str:
        return moment(member.date_joined)

    @admin.display(description=gettext_lazy("leaving since"), ordering="leaving_at")
    def leaves_at(self, member: Member) -> str:
        return moment(member.leaving_at)

    def get_action_choices(self, request: HttpRequest, default_choices: Any = models.BLANK_CHOICE_DASH) -> Any:
        """What is done for one person who asks for it is no bulk action."""
        choices = super().get_action_choices(request, default_choices)
        return [choice for choice in choices if choice[0] != FORGET_FACTOR.action]

    def buttons(self, row: Member) -> tuple[Button, ...]:
        if row.leaving_at is not None:
            return ()
        invite = invite_button(row)
        return (invite, FORGET_FACTOR) if factor_of(row) is not None else (invite,)

    @admin.action(description=gettext_lazy("Make an invitation link"), permissions=["invite"])
    def invite(self, request: HttpRequest, queryset: QuerySet[Member]) -> HttpResponse | None:
        if not is_first(request, request.POST.get("once")):
            self.message_user(request, str(SENT_BEFORE), "error")
            return None
        back = reverse("admin:accounts_member_changelist")
        invited = invite(request, queryset)
        return handover_page(request, back=back, invited=invited) if invited else None

    @admin.action(description=gettext_lazy("Turn off the second factor"), permissions=["change"])
    def turn_off_second_factor(self, request: HttpRequest, queryset: QuerySet[Member]) -> None:
        """For who lost phone and recovery codes."""
        for member in queryset:
            if second_factor_remove(member=member):
                self.log_change(request, member, FACTOR_REMOVED)
                text = _("%(member)s signs in by password alone, until a second factor is set up again.")
                self.message_user(request, text % {"member": member})
