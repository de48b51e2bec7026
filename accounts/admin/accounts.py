"""The admin's pages of XJTLU accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext
from django.views.decorators.debug import sensitive_post_parameters

from accounts.admin.forms import AccountForm, MemberAddForm
from accounts.admin.handover import Invited, handover_page, invite, invite_button, issue, may_invite, may_issue
from accounts.admin.imports import ImportsMembers
from accounts.admin.links import list_link, row_link
from accounts.admin.owners import is_leaving
from accounts.admin.pasting import PastesTokens
from accounts.admin.removal import RemovesMembers
from accounts.admin.state import state_badge, state_notes
from accounts.keys import key_revoke
from accounts.models import Account, ApiKey, LoginBlock
from accounts.services import account_pause, account_resume, member_add
from accounts.services import password_change as xjtlu_password_change
from gateway import renaming
from gateway.admin.add import AddsByForm
from gateway.admin.base import note
from gateway.admin.buttons import Button, ButtonsAdmin
from gateway.admin.confirmation import Option, Question, confirmation_page, is_confirmed
from gateway.admin.outcomes import Outcomes
from gateway.errors import GatewayError
from gateway.formats import UNKNOWN, moment, with_notes
from gateway.once import SENT_BEFORE, is_first
from gateway.templatetags.pages import relative
from tokens.admin import has_picture, outcome_badge
from tokens.limits import next_login_at
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.states import State, next_refresh, token_of, with_state
from tokens.wording import message_in_words

if TYPE_CHECKING:
    from tokens.states import StatedAccount

ASKED = gettext_noop("Asked for a login.")
KEYS_REVOKED = gettext_noop("Revoked all API keys.")
PAUSED = gettext_noop("Paused.")
RESUMED = gettext_noop("Resumed.")
BLOCKED_TOO = "blocked_too"
LOGIN_REFUSED = {
    "account_paused": gettext_lazy("paused, so no login was asked for. Resume it first."),
    "password_missing": gettext_lazy(
        "no XJTLU password is stored, so no login was asked for. Make an invitation link, by which the member types "
        "it, or type it on the account's page."
    ),
}
OFTEN = gettext_lazy(
    "a login is on its way, though there were many within the hour. The school locks who types a password too often."
)
LOGIN_FAILED = gettext_lazy("no login was asked for, as one has just failed. The account's page says why.")
"""Of any other error: a person's wish to log in forgets what hindered it before."""


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class AccountAdmin(ImportsMembers, PastesTokens, AddsByForm[Account], RemovesMembers[Account], ButtonsAdmin[Account]):
    form = AccountForm
    add_form_class = MemberAddForm
    add_title = gettext_lazy("Add a member with an XJTLU account")
    add_form_fieldsets = (
        (None, {"fields": ("name", "email")}),
        (gettext_lazy("XJTLU account"), {"fields": ("xjtlu_username", "xjtlu_password")}),
        (gettext_lazy("API key"), {"fields": ("issue_key",)}),
    )
    change_notes = {  # noqa: RUF012  of the class that it extends
        "username": gettext_noop("Changed the XJTLU username."),
        "new_password": gettext_noop("Changed the XJTLU password."),
    }
    list_display = ("username", "member_link", "state", "next_refresh", "last_login")
    list_filter = (StateFilter,)
    search_fields = ("username", "member__username", "member__email")
    search_help_text = gettext_lazy("An XJTLU username, or a member's name or e-mail")
    actions = ("log_in_now", "invite", "issue_key", "revoke_keys", "pause", "resume", "remove_members")
    readonly_fields = ("member_link", "stored", "added_at", "more")
    change_form_template = "admin/accounts/account/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return with_state(super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        may_change = self.has_change_permission(request, obj)
        fields = ("member_link", "username", "stored", *(("new_password",) if may_change else ()))
        return ((None, {"fields": (*fields, "added_at", "more")}),)

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return super().has_change_permission(request, obj) and not is_leaving(obj)

    def has_issue_key_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return may_issue(request)

    def has_revoke_key_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    def has_invite_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return may_invite(request)

    # Columns

    @admin.display(description=gettext_lazy("member"), ordering="member__username")
    def member_link(self, account: Account) -> SafeString:
        return row_link(account.member)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state(self, account: StatedAccount) -> SafeString:
        return with_notes(state_badge(account), *state_notes(account))

    @admin.display(description=gettext_lazy("next refresh"), ordering="token__refresh_at")
    def next_refresh(self, account: StatedAccount) -> str:
        return relative(next_refresh(account))

    @admin.display(description=gettext_lazy("last login"), ordering="last_ended_at")
    def last_login(self, account: StatedAccount) -> str:
        if not account.last_outcome:
            return UNKNOWN
        return with_notes(outcome_badge(account.last_outcome), relative(account.last_ended_at))

    @admin.display(description=gettext_lazy("XJTLU password"))
    def stored(self, account: Account) -> str:
        return _("stored, encrypted") if account.has_password else _("not stored")

    @admin.display(description=gettext_lazy("added"))
    def added_at(self, account: Account) -> str:
        return moment(account.created_at)

    @admin.display(description=gettext_lazy("see also"))
    def more(self, account: Account) -> SafeString:
        links = (
            list_link("accounts_apikey", _("API keys"), member__id__exact=account.member_id),
            list_link("tokens_loginattempt", _("Logins"), account__id__exact=account.pk),
            list_link("gateway_usagerecord", _("Usage"), member__id__exact=account.member_id),
            list_link("gateway_upstreamsession", _("Sessions"), account__id__exact=account.pk),
        )
        return format_html_join(" · ", "{}", ((link,) for link in links))

    # Add and change

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        data = form.cleaned_data
        account = member_add(
            name=data["name"],
            email=data["email"],
            xjtlu_username=data["xjtlu_username"],
            xjtlu_password=data["xjtlu_password"],
        )
        self.log_addition(request, account)
        if account.has_password:
            login_ask(account=account, trigger=Trigger.ADDED)
        return handover_page(
            request,
            back=reverse("admin:accounts_account_change", args=[account.pk]),
            title=_("Member added"),
            issued=issue(request, [account.member]) if data["issue_key"] and may_issue(request) else [],
            invited=self._invitation(request, account),
            lead=_added_lead(account),
        )

    def _invitation(self, request: HttpRequest, account: Account) -> list[Invited]:
        return invite(request, [account.member]) if may_invite(request) else []

    @method_decorator(sensitive_post_parameters())
    def change_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(*args, **kwargs)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        account = kwargs.get("obj")
        if account is not None:
            context["state_shown"] = self.state(account)
            context["facts"] = self._facts(account)
            context["may_paste"] = self.has_change_permission(request, account)
            context.update(_failure(account) if request.user.has_perm("tokens.view_loginattempt") else {})
            # The panel has a button of its own, with the right words; and an account is added with its member.
            context.update(show_delete=False, show_save_and_add_another=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def _facts(self, account: StatedAccount) -> list[tuple[str, str]]:
        token = token_of(account)
        return [
            (_("logged in until"), relative(token.expires_at if token else None)),
            (_("next refresh"), self.next_refresh(account)),
            (_("token captured"), relative(token.captured_at if token else None)),
            (_("last login"), self.last_login(account)),
        ]

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        account = Account.objects.select_related("member").get(pk=obj.pk)
        if "username" in form.changed_data:
            renaming.rename(account=account, xjtlu_username=form.cleaned_data["username"])
        if form.cleaned_data["new_password"]:
            xjtlu_password_change(account=account, xjtlu_password=form.cleaned_data["new_password"])
            with Outcomes(request) as outcomes:
                _ask_login(account, Trigger.ADDED, outcomes)

    # Actions

    def buttons(self, row: Account) -> tuple[Button, ...]:
        if is_leaving(row):
            return ()
        pause = Button("resume", "play_arrow") if row.paused_at else Button("pause", "pause")
        return (
            Button("log_in_now", "login", primary=True),
            invite_button(row.member),
            Button("issue_key", "key"),
            Button("revoke_keys", "key_off", confirm=gettext_lazy("Every key of this member stops working at once.")),
            pause,
        )

    @admin.action(description=gettext_lazy("Log in now"), permissions=["change"])
    def log_in_now(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        accounts = list(queryset)
        blocked = [] if self.is_one_row(request) else [each for each in accounts if each.login_block]
        if blocked and not is_confirmed(request):
            return confirmation_page(request, _log_in_question(accounts, blocked), opts=self.opts)
        left_out = blocked if BLOCKED_TOO not in request.POST else []
        with Outcomes(request) as outcomes:
            for account in accounts:
                if account in left_out:
                    outcomes.refuse(account, _("left out, as a person has to mend it first."))
                elif _ask_login(account, Trigger.PERSON, outcomes):
                    self.log_change(request, account, ASKED)
        return None

    @admin.action(description=gettext_lazy("Make an invitation link"), permissions=["invite"])
    def invite(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        if self._is_repeated(request):
            return None
        invited = invite(request, [account.member for account in queryset])
        return handover_page(request, back=_list(), invited=invited) if invited else None

    @admin.action(description=gettext_lazy("Issue a key"), permissions=["issue_key"])
    def issue_key(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        if self._is_repeated(request):
            return None
        issued = issue(request, [account.member for account in queryset])
        return handover_page(request, back=_list(), issued=issued) if issued else None

    @admin.action(description=gettext_lazy("Revoke all keys"), permissions=["revoke_key"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        keys = {account: _keys_of(account) for account in queryset}
        if not is_confirmed(request) and not self.is_one_row(request):
            return confirmation_page(request, _revoke_question(keys), opts=self.opts)
        number = sum(map(len, keys.values()))
        revoked = ngettext("%(n)d key revoked.", "%(n)d keys revoked.", number) % {"n": number}
        with Outcomes(request) as outcomes:
            for account, its_keys in keys.items():
                if its_keys:
                    self._revoke_all(request, account, its_keys)
                    outcomes.add(account, revoked)
                else:
                    outcomes.refuse(account, _("no key to revoke."))
        return None

    def _revoke_all(self, request: HttpRequest, account: Account, keys: list[ApiKey]) -> None:
        for key in keys:
            if key_revoke(key=key):
                note(request, gettext_noop("Revoked."), key)
        self.log_change(request, account, KEYS_REVOKED)

    @admin.action(description=gettext_lazy("Pause"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        with Outcomes(request) as outcomes:
            for account in queryset:
                if account_pause(account=account):
                    self.log_change(request, account, PAUSED)
                    outcomes.add(account, _("paused. Requests are refused, and no login starts."))
                else:
                    outcomes.refuse(account, _("paused before."))

    @admin.action(description=gettext_lazy("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        with Outcomes(request) as outcomes:
            for account in queryset:
                if account_resume(account=account):
                    self.log_change(request, account, RESUMED)
                    outcomes.add(account, _("resumed."))
                else:
                    outcomes.refuse(account, _("was not paused."))

    def _is_repeated(self, request: HttpRequest) -> bool:
        if is_first(request, request.POST.get("once")):
            return False
        self.message_user(request, str(SENT_BEFORE), messages.ERROR)
        return True


def _ask_login(account: Account, trigger: Trigger, outcomes: Outcomes) -> bool:
    """Whether a login is on its way; the outcome is told either way. Unlike members, the admin is only warned."""
    is_often = next_login_at(account) is not None
    try:
        login_ask(account=account, trigger=trigger)
    except GatewayError as error:
        outcomes.refuse(account, LOGIN_REFUSED.get(error.code or "", LOGIN_FAILED))
        return False
    if is_often:
        outcomes.warn(account, OFTEN)
    else:
        outcomes.add(account, _("a login is on its way."))
    return True


def _log_in_question(accounts: list[Account], blocked: list[Account]) -> Question:
    refused = sum(account.login_block == LoginBlock.WRONG_PASSWORD for account in blocked)
    told = {"refused": refused, "others": len(blocked) - refused}
    option = Option(
        name=BLOCKED_TOO,
        lead=_("Left out – password refused: %(refused)d, needs a person: %(others)d") % told,
        label=_(
            "Try these as well. Each stored password goes to the school once more: repeated failures may lock "
            "university accounts."
        ),
        rows=blocked,
    )
    return Question(
        action="log_in_now",
        rows=[account for account in accounts if account not in blocked],
        lead=_("These accounts log in now:"),
        yes=_("Log in now"),
        option=option,
    )


def _revoke_question(keys: dict[Account, list[ApiKey]]) -> Question:
    number = sum(map(len, keys.values()))
    return Question(
        action="revoke_keys",
        rows=list(keys),
        lead=_("Every key of these members stops working at once, for good:"),
        yes=ngettext("Revoke %(n)d key", "Revoke %(n)d keys", number) % {"n": number},
    )


def _keys_of(account: Account) -> list[ApiKey]:
    """Those that are not revoked yet."""
    return list(ApiKey.objects.filter(member=account.member, revoked_at=None))


def _list() -> str:
    return reverse("admin:accounts_account_changelist")


def _added_lead(account: Account) -> str:
    told = {"member": account.member.username}
    if account.has_password:
        return _("%(member)s was added. The login at the school is on its way.") % told
    return _("%(member)s was added. No XJTLU password is stored yet, so no login starts by itself.") % told


def _failure(account: StatedAccount) -> dict[str, Any]:
    """The newest login that failed, as templates/admin/accounts/account/failure.html shows it."""
    ended = LoginAttempt.objects.filter(account=account, ended_at__isnull=False)
    failure = ended.exclude(outcome=Outcome.CAPTURED).select_related("account").first()
    if failure is None:
        return {}
    return {
        "failure": failure,
        "failure_matters": account.last_outcome != Outcome.CAPTURED,
        "failure_message": message_in_words(failure.message),
        "failure_picture": has_picture(failure),
    }
