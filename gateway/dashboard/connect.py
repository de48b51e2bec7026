"""How to connect each client, and a check that it works."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.keys import CHECK_NAME, CHECKS, KeyRefused, key_issue, key_revoke
from accounts.models import ApiKey
from gateway.dashboard.clients import cards, chosen_client, root_url
from gateway.dashboard.guard import member_of
from gateway.dashboard.offered import account_of, model_choices

CHECK_LASTS = timedelta(minutes=10)
CHECKS_A_MINUTE = 30


@login_required
@require_safe
def connect(request: HttpRequest) -> HttpResponse:
    member = member_of(request)
    models = model_choices(member)
    asked = request.GET.get("model", "")
    model = asked if asked in dict(models) else next((model_id for model_id, _label in models), "")
    shown = cards(request, model)
    context = {
        "account": account_of(member),
        "models": models,
        "model": model,
        "cards": shown,
        "client": chosen_client(shown, request.GET.get("client", "")),
        "base_url": f"{root_url(request)}/v1",
    }
    return render(request, "dashboard/connect.html", context)


@login_required
@require_POST
@never_cache
def check_begin(request: HttpRequest) -> JsonResponse:
    """A key for one check: `{"id", "api_key"}`, or 409 with `{"error"}`."""
    try:
        key, text = key_issue(
            member=member_of(request),
            name=CHECK_NAME,
            expires_at=timezone.now() + CHECK_LASTS,
            requests_per_minute=CHECKS_A_MINUTE,
        )
    except KeyRefused as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"id": key.pk, "api_key": text})


@login_required
@require_POST
@never_cache
def check_end(request: HttpRequest, pk: int) -> HttpResponse:
    """The key of a check opens nothing any more. Other keys are not revoked this way."""
    key = get_object_or_404(ApiKey, CHECKS, pk=pk, member=member_of(request))
    key_revoke(key=key)
    return HttpResponse(status=204)


urlpatterns: list[URLPattern] = [
    path("connect/", connect, name="connect"),
    path("connect/check/", check_begin, name="check_begin"),
    path("connect/check/<int:pk>/end/", check_end, name="check_end"),
]
