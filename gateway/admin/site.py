"""Signing in to the admin: there is one page for it, the dashboard's."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _


def login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Takes the place of the admin's own sign-in. A member without access is led to their dashboard."""
    after = request.GET.get(REDIRECT_FIELD_NAME, "")
    if not url_has_allowed_host_and_scheme(after, {request.get_host()}):
        after = reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(after, resolve_url(settings.LOGIN_URL))
    if request.user.is_staff:
        return redirect(after)
    messages.error(request, _("Your account has no access to the administration."))
    return redirect("dashboard:overview")
