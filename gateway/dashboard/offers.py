"""The models on offer."""

from __future__ import annotations

import asyncio

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import Account
from gateway import catalogue
from gateway.api.auth import usable_account
from gateway.api.service import member_line
from gateway.dashboard.fragments import signed_in
from gateway.dashboard.guard import member_of
from gateway.dashboard.offered import account_of, models_are_coming, offer_of
from gateway.errors import GatewayError
from gateway.usage.explanations import cause_of

REFRESH_SECONDS = 30


@login_required
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    context = {"offer": offer_of(member), "account": account_of(member), "are_coming": models_are_coming(member)}
    return render(request, "dashboard/models.html", context)


@signed_in
@require_safe
def models_ready(request: HttpRequest) -> HttpResponse:
    """A page that waits for the first list asks again and again; it is loaded anew when the wait is over."""
    if models_are_coming(member_of(request)):
        return HttpResponse(status=204)
    return HttpResponseClientRefresh()


@login_required
@require_POST
async def models_refresh(request: HttpRequest) -> HttpResponse:
    """Ask the school now: one call of the account, behind those that wait already."""
    account = await Account.objects.filter(member__username=(await request.auser()).get_username()).afirst()
    try:
        async with asyncio.timeout(REFRESH_SECONDS):
            await catalogue.refresh(member_line(usable_account(account)))
    except GatewayError as error:
        messages.error(request, cause_of(error.code))
    except TimeoutError:
        messages.warning(request, _("The school has not answered yet. Try again in a minute."))
    else:
        messages.success(request, _("These are the models that the school offers now."))
    return redirect("dashboard:models")


urlpatterns: list[URLPattern] = [
    path("models/", models, name="models"),
    path("models/ready/", models_ready, name="models_ready"),
    path("models/refresh/", models_refresh, name="models_refresh"),
]
