"""What is shown where a page cannot be: in the reader's language, and JSON to programs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from accounts.models import Member
from gateway import error_pages

PROBLEMS: dict[str, type[Exception]] = {"400": BadRequest, "403": PermissionDenied, "500": OperationalError}
CHINESE = {"accept-language": "zh-CN"}


def failing(request: HttpRequest, problem: str) -> HttpResponse:
    raise PROBLEMS[problem]


urlpatterns = [
    path("failing/<str:problem>/", failing),
    path("api/failing/<str:problem>/", failing),
    path("", include("gateway.urls")),
]
handler400, handler403 = error_pages.bad_request, error_pages.permission_denied
handler404, handler500 = error_pages.not_found, error_pages.server_error


@pytest.fixture
def client(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def words(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize(
    ("problem", "title"), [("400", "网关无法理解"), ("403", "您无权访问此页面"), ("500", "网关出错了")]
)
def test_an_error_has_a_page_in_the_readers_language(client: Client, problem: str, title: str) -> None:
    """No database: the test has none."""
    page = client.get(f"/failing/{problem}/", headers=CHINESE)
    assert page.status_code == int(problem)
    assert title in words(page)
    assert '<html lang="zh-hans">' in words(page)
    assert 'href="/dashboard/"' in words(page)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_program_is_told_in_json(client: Client, problem: str) -> None:
    told = client.get(f"/api/failing/{problem}/")
    assert (told.status_code, set(told.json())) == (int(problem), {"error"})


def test_an_unknown_address_leads_home(client: Client) -> None:
    page = client.get("/nothing/", headers=CHINESE)
    assert page.status_code == 404
    assert "这里没有内容" in words(page)


@pytest.mark.django_db
def test_an_admin_is_led_back_to_the_administration(client: Client) -> None:
    client.force_login(Member.objects.create_superuser("boss"), "django.contrib.auth.backends.ModelBackend")
    page = client.get("/admin/nothing/")
    assert page.status_code == 404
    assert 'href="/admin/"' in words(page)


def test_an_unknown_host_name_is_told_what_allows_it(client: Client) -> None:
    page = client.get("/dashboard/", headers={"host": "elsewhere.example"})
    assert page.status_code == 400
    assert "GATEWAY_ALLOWED_HOSTS" in words(page)
    assert 'href="/dashboard/"' not in words(page)
