"""The schema of the management API, and its pages: for signed-in people, from this host alone."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView

from gateway import __version__
from gateway.rest import openapi  # noqa: F401  registers how one signs in
from gateway.rest.views import View


class Schema(View, SpectacularAPIView):
    """OpenAPI 3, as YAML; as JSON with `?format=json` or the header `Accept: application/json`."""


@login_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI."""
    return render(request, "rest/docs.html", {"version": __version__})
