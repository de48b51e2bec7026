"""The management API's addresses."""

from __future__ import annotations

from django.urls import path

from gateway.rest import accounts, docs, health, keys, me, usage, views

app_name = "api"
urlpatterns = [
    path("me/", me.Me.as_view(), name="me"),
    path("keys/", keys.Keys.as_view(), name="keys"),
    path("keys/<int:id>/", keys.OneKey.as_view(), name="key"),
    path("keys/<int:id>/rotate/", keys.RotateKey.as_view(), name="rotate_key"),
    path("usage/", usage.Records.as_view(), name="usage"),
    path("usage/rollups/", usage.Rollups.as_view(), name="rollups"),
    path("usage/<str:request_id>/", usage.OneRecord.as_view(), name="usage_record"),
    path("accounts/", accounts.Accounts.as_view(), name="accounts"),
    path("accounts/<uuid:id>/", accounts.OneAccount.as_view(), name="account"),
    path("accounts/<uuid:id>/log-in/", accounts.LogIn.as_view(), name="log_in"),
    path("accounts/<uuid:id>/pause/", accounts.Pause.as_view(), name="pause"),
    path("accounts/<uuid:id>/resume/", accounts.Resume.as_view(), name="resume"),
    path("health/", health.Health.as_view(), name="health"),
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.docs, name="docs"),
    path("<path:path>", views.NoSuchPath.as_view(), name="no_such_path"),
    path("", views.NoSuchPath.as_view(), name="root"),
]
