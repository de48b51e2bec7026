"""The admin's front page: who needs a person, what was used, how the parts are. Two of its cards move by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.invitations import invited
from gateway.admin import needy
from gateway.admin.buttons import ActionForm
from gateway.admin.charts import usage_context
from gateway.admin.filters import since
from gateway.charts import Chart, Series
from gateway.formats import Tone
from gateway.health import fleet
from gateway.health.components import health
from gateway.models import UpstreamSession
from tokens.models import Outcome
from tokens.states import OUTCOME_TONES, TONES

NEEDY_SHOWN = 20
BUSIEST_SHOWN = 12
OUTCOME_SERIES = {
    Outcome.CAPTURED: "2",
    Outcome.NEEDS_YOU: "3",
    Outcome.WRONG_PASSWORD: "6",
    Outcome.FAILED: "bad",
    Outcome.LOST: "quiet",
}
"""Outcomes from the bottom of the chart, with their colours."""

Shown = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """A group of rows: how many, and the list that shows them."""

    label: str
    tone: Tone
    number: int
    link: str


def front(request: HttpRequest, context: Shown) -> Shown:
    """What templates/admin/index.html shows, each part to those who may see its rows."""
    context["action_form"] = ActionForm(auto_id=False)
    if request.user.has_perm("accounts.view_account"):
        context.update(_accounts(request))
    if request.user.has_perm("gateway.view_usagerecord"):
        context.update(usage_context(request))
    context.update({name: card for name, make in CARDS.items() if (card := make(request)) is not None})
    return context


@require_safe
def card(request: HttpRequest, name: str) -> HttpResponse:
    """A moving card alone. The page asks again and again, and is left as it is while nothing has changed."""
    if name not in CARDS:
        raise Http404
    shown = CARDS[name](request)
    if shown is None:
        raise PermissionDenied
    if request.GET.get("seen") == shown["mark"]:
        return HttpResponse(status=204)
    return render(request, f"admin/front/{name}.html", {name: shown})


# Cards of the moment


def _logins(request: HttpRequest) -> Shown | None:
    """Logins of the last day, and those that are open now; None to those who may not see logins."""
    if not request.user.has_perm("tokens.view_loginattempt"):
        return None
    ended = fleet.logins()
    return _marked({"shares": list(_outcomes(ended)), "running": fleet.logins_running(), "chart": _chart(ended)})


def _work(request: HttpRequest) -> Shown | None:
    """How busy the accounts are, and how the parts of the gateway: each to those who may see it."""
    sees_accounts, sees_parts = map(request.user.has_perm, ("accounts.view_account", "gateway.view_heartbeat"))
    if not sees_accounts and not sees_parts:
        return None
    busiest = fleet.busiest() if sees_accounts else None
    components = health() if sees_parts else None
    shown = None if busiest is None else busiest[:BUSIEST_SHOWN]
    left = len(busiest or ()) - len(shown or ())
    return _marked({"busiest": shown, "busy_left": left, "cap": UpstreamSession.CAP, "components": components})


CARDS: dict[str, Callable[[HttpRequest], Shown | None]] = {"logins": _logins, "work": _work}


def _marked(shown: Shown) -> Shown:
    """With a mark that tells what is shown from anything else."""
    return {**shown, "mark": sha256(repr(shown).encode()).hexdigest()[:16]}


def _outcomes(ended: fleet.Logins) -> Iterator[Share]:
    page = reverse("admin:tokens_loginattempt_changelist")
    for outcome in Outcome:
        if number := sum(ended.numbers.get(outcome, ())):
            query = urlencode({"outcome__exact": outcome.value, **since("created_at", ended.hours[0])})
            yield Share(str(outcome.label), OUTCOME_TONES[outcome], number, f"{page}?{query}")


def _chart(ended: fleet.Logins) -> Chart:
    labels = [f"{timezone.localtime(hour):%H:%M}" for hour in ended.hours]
    series = [
        Series(str(outcome.label), ended.numbers[outcome], tone)
        for outcome, tone in OUTCOME_SERIES.items()
        if outcome in ended.numbers
    ]
    return Chart("logins-by-hour", _("Logins by hour"), labels, series, stacked=True)


# Accounts


def _accounts(request: HttpRequest) -> Shown:
    accounts, guests = fleet.briefs(), invited()
    members = fleet.members(accounts)
    in_need = needy.in_need(accounts, invited=guests)
    return {
        "members": members,
        "states": list(_states(members)),
        "invited": len(guests),
        "needy": needy.shown(in_need[:NEEDY_SHOWN], user=request.user),
        "needy_left": max(0, len(in_need) - NEEDY_SHOWN),
        "account_page": _absolute(request, reverse("dashboard:account")),
    }


def _states(members: fleet.Members) -> Iterator[Share]:
    accounts = reverse("admin:accounts_account_changelist")
    for state, number in members.by_state.items():
        yield Share(str(state.label), TONES[state], number, f"{accounts}?state={state.value}")
    if members.without_account:
        page = reverse("admin:accounts_member_changelist")
        query = urlencode({"account__isempty": 1, "is_staff__exact": 0, "is_active__exact": 1})
        yield Share(_("without an XJTLU account"), "quiet", members.without_account, f"{page}?{query}")


def _absolute(request: HttpRequest, path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
