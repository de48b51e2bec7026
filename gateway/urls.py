"""The pages. The API's paths are in gateway/api/routes.py."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from gateway.admin.front import card
from gateway.dashboard.fragments import signed_in

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="dashboard:overview")),
    path("favicon.ico", RedirectView.as_view(url=static("gateway/icon.svg"))),
    path("dashboard/", include("gateway.dashboard.urls")),
    path("api/", include("gateway.rest.urls")),
    path("admin/now/<slug:name>/", signed_in(admin.site.admin_view(card)), name="admin_card"),
    path("admin/", admin.site.urls),
]
handler400 = "gateway.error_pages.bad_request"
handler403 = "gateway.error_pages.permission_denied"
handler404 = "gateway.error_pages.not_found"
handler500 = "gateway.error_pages.server_error"
