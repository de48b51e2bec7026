"""The admin's list of invitations. Their links are nowhere kept: a lost one is replaced by a fresh one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.handover import ENDS_OLD_LINK, handover_page, invite, may_invite
from accounts.admin.links import row_link
from accounts.admin.owners import OwnedByMembers
from accounts.invitations import is_open
from accounts.models import Invitation
from gateway.admin.base import ReadOnlyAdmin
from gateway.admin.buttons import Button, ButtonsAdmin
from gateway.formats import UNKNOWN, badge, moment
from gateway.once import SENT_BEFORE, is_first
from gateway.templatetags.pages import relative


class InvitationStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("open")), ("used", _("used")), ("expired", _("expired"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> QuerySet[Invitation]:
        now = timezone.now()
        match self.value():
            case "used":
                return queryset.filter(used_at__isnull=False)
            case "expired":
                return queryset.filter(used_at=None, expires_at__lte=now)
            case "open":
                return queryset.filter(used_at=None, expires_at__gt=now)
        return queryset


class InvitationAdmin(ReadOnlyAdmin[Invitation], OwnedByMembers[Invitation], ButtonsAdmin[Invitation]):
    list_display = ("invited", "state", "made_at", "maker", "ends_at", "taken_at")
    list_filter = (InvitationStateFilter,)
    list_select_related = ("member", "created_by")
    search_fields = ("member__username", "member__email")
    search_help_text = gettext_lazy("A member's name or e-mail")
    actions = ("renew",)
    fields = ("member_link", "state", "made_at", "maker", "ends_at", "taken_at")

    def has_invite_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return may_invite(request)

    @admin.display(description=gettext_lazy("member"), ordering="member__username")
    def invited(self, invitation: Invitation) -> str:
        return _("the first admin") if invitation.member is None else invitation.member.username

    @admin.display(description=gettext_lazy("member"))
    def member_link(self, invitation: Invitation) -> str:
        return _("the first admin") if invitation.member is None else row_link(invitation.member)

    @admin.display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation) -> SafeString:
        if invitation.used_at:
            return badge(_("used"), "good")
        return badge(_("open"), "busy") if invitation.expires_at > timezone.now() else badge(_("expired"), "warn")

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def made_at(self, invitation: Invitation) -> str:
        return moment(invitation.created_at)

    @admin.display(description=gettext_lazy("created by"), ordering="created_by__username")
    def maker(self, invitation: Invitation) -> str:
        return invitation.created_by.username if invitation.created_by else UNKNOWN

    @admin.display(description=gettext_lazy("expires"), ordering="expires_at")
    def ends_at(self, invitation: Invitation) -> str:
        return UNKNOWN if invitation.used_at else relative(invitation.expires_at)

    @admin.display(description=gettext_lazy("used"), ordering="used_at")
    def taken_at(self, invitation: Invitation) -> str:
        return moment(invitation.used_at)

    def buttons(self, row: Invitation) -> tuple[Button, ...]:
        if row.member is None or row.used_at:
            return ()
        return (Button("renew", "refresh", primary=True, confirm=ENDS_OLD_LINK if is_open(row) else ""),)

    @admin.action(description=gettext_lazy("Make a fresh link"), permissions=["invite"])
    def renew(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> HttpResponse | None:
        """The link that was given before stops working."""
        if not is_first(request, request.POST.get("once")):
            self.message_user(request, str(SENT_BEFORE), "error")
            return None
        members = {each.member for each in queryset.select_related("member") if each.member is not None}
        back = reverse("admin:accounts_invitation_changelist")
        invited = invite(request, sorted(members, key=str))
        return handover_page(request, back=back, invited=invited) if invited else None
