"""The admin's front page: who needs a person, what was used, how the parts are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.state import state_notes
from accounts.models import Account
from gateway.admin.buttons import ActionForm
from gateway.admin.charts import usage_context
from gateway.formats import Tone
from gateway.health import fleet
from gateway.health.components import health
from tokens.models import Outcome
from tokens.states import OUTCOME_TONES, TONES, State

NEEDY_SHOWN = 20
LOG_IN = ("log_in_now", "login", gettext_lazy("Log in now"))
INVITE = ("invite", "mail", gettext_lazy("Make an invitation link"))
MENDS: dict[State, tuple[str, str, str | Promise] | None] = {
    State.NEEDS_YOU: LOG_IN,
    State.WRONG_PASSWORD: None,
    State.FAILING: LOG_IN,
    State.LOGGED_OUT: INVITE,
}
"""The action, with icon and label, that may mend an account in this state; none: a password has to be typed."""


@dataclass(frozen=True)
class Needy:
    """An account that needs a person, why, and what to press. `act` "": the account's own page mends it."""

    account: Account
    state: State
    tone: Tone
    reasons: list[str]
    page: str
    act: str = ""
    icon: str = ""
    label: str | Promise = ""

    @property
    def needs_password(self) -> bool:
        return self.state in (State.WRONG_PASSWORD, State.LOGGED_OUT)

    @property
    def needs_member(self) -> bool:
        """Whether the member alone can do it, in a live login."""
        return self.state is State.NEEDS_YOU


@dataclass(frozen=True)
class Share:
    """A group of rows: how many, and the list that shows them."""

    label: str
    tone: Tone
    number: int
    link: str


def front(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What templates/admin/index.html shows, each part to those who may see its rows."""
    context["action_form"] = ActionForm(auto_id=False)
    if request.user.has_perm("accounts.view_account"):
        context.update(_accounts(request))
    if request.user.has_perm("tokens.view_loginattempt"):
        context["logins"] = list(_logins())
        context["logins_running"] = fleet.logins_running()
    if request.user.has_perm("gateway.view_usagerecord"):
        context.update(usage_context(request))
    if request.user.has_perm("gateway.view_heartbeat"):
        context["components"] = health()
    return context


def _accounts(request: HttpRequest) -> dict[str, Any]:
    accounts = fleet.stated_accounts()
    members = fleet.members(accounts)
    may_act = request.user.has_perm("accounts.change_account")
    needy = list(_needy(accounts, may_act=may_act))
    return {
        "members": members,
        "states": list(_states(members)),
        "needy": needy[:NEEDY_SHOWN],
        "needy_left": max(0, len(needy) - NEEDY_SHOWN),
        "busiest": fleet.busiest(accounts),
        "session_cap": fleet.SESSION_CAP,
        "account_page": _absolute(request, reverse("dashboard:account")),
    }


def _states(members: fleet.Members) -> Iterator[Share]:
    accounts = reverse("admin:accounts_account_changelist")
    for state, number in members.by_state.items():
        yield Share(str(state.label), TONES[state], number, f"{accounts}?state={state.value}")
    if members.without_account:
        page = reverse("admin:accounts_member_changelist")
        yield Share(_("without an XJTLU account"), "quiet", members.without_account, f"{page}?account__isempty=1")


def _logins() -> Iterator[Share]:
    numbers = fleet.logins_by_outcome()
    page = reverse("admin:tokens_loginattempt_changelist")
    for outcome in Outcome:
        if numbers[outcome]:
            link = f"{page}?outcome__exact={outcome.value}"
            yield Share(str(outcome.label), OUTCOME_TONES[outcome], numbers[outcome], link)


def _needy(accounts: Iterable[Account], *, may_act: bool) -> Iterator[Needy]:
    order = list(MENDS)
    stated = [(State(account.state), account) for account in accounts]  # type: ignore[attr-defined]  # annotated
    needing = [(state, account) for state, account in stated if _needs_person(state, account)]
    for state, account in sorted(needing, key=lambda each: order.index(each[0])):
        reasons = [note for note in state_notes(account) if note]  # type: ignore[arg-type]  # annotated
        page = reverse("admin:accounts_account_change", args=[account.pk])
        needy = Needy(account, state, TONES[state], reasons, page)
        mend = MENDS[state]
        if mend and may_act:
            act = reverse("admin:accounts_account_act", args=[account.pk, mend[0]])
            needy = Needy(account, state, TONES[state], reasons, page, act, mend[1], mend[2])
        yield needy


def _needs_person(state: State, account: Account) -> bool:
    if state is State.LOGGED_OUT:
        return not account.has_password and not account.sign_on_cookies
    return state in MENDS


def _absolute(request: HttpRequest, path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
