"""A chat in the page. Its requests go to gateway.api.consumers.Playground; nothing of it is stored."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from gateway.dashboard.guard import member_of
from gateway.dashboard.offered import account_of, models_are_coming, offer_of


@login_required
@require_safe
def playground(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    offer = offer_of(member)
    models = offer.models if offer else ()
    asked = request.GET.get("model", "")
    are_coming = models_are_coming(member)
    context = {"account": account_of(member), "models": models, "model": asked, "are_coming": are_coming}
    return render(request, "dashboard/playground.html", context)


urlpatterns: list[URLPattern] = [path("playground/", playground, name="playground")]
