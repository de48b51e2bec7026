"""The addresses of the member's pages, page by page."""

from __future__ import annotations

from django.urls import include, path
from django.views.i18n import set_language

from gateway.dashboard import (
    account,
    connect,
    invitations,
    keys,
    offers,
    overview,
    playground,
    preferences,
    sign_in,
    usage,
)

app_name = "dashboard"
PAGES = (overview, account, keys, usage, offers, connect, playground, preferences, sign_in, invitations)
urlpatterns = [
    path("language/", set_language, name="language"),
    *(path("", include(page.urlpatterns)) for page in PAGES),
]
