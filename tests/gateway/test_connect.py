"""The pages of clients and of models."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta

import httpx
import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from accounts.keys import key_issue
from accounts.models import Account, ApiKey, Member
from gateway import catalogue
from gateway.dashboard.clients import Card, cards
from gateway.models import Catalogue
from gateway.school.catalog import Model
from tests.conftest import until
from tests.gateway.test_playground import as_page
from tests.school import School
from tokens.models import UpstreamToken

CONNECT, BEGIN = "/dashboard/connect/", "/dashboard/connect/check/"
SLUGS = ["cherry-studio", "open-webui", "dify", "cline", "lobechat", "python", "node", "curl"]


@pytest.fixture
def page(account: Account, offered: list[str]) -> Client:
    client = Client()
    client.force_login(account.member, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get(CONNECT, headers={"host": "127.0.0.1:8000"})


def card(slug: str, request: HttpRequest, model: str = "qwen") -> Card:
    return next(each for each in cards(request, model) if each.slug == slug)


def values(card: Card) -> set[str]:
    return {field.value for step in card.steps for field in step.fields}


# Cards


def test_there_is_a_card_for_each_client(request_: HttpRequest) -> None:
    assert [card.slug for card in cards(request_)] == SLUGS


@pytest.mark.parametrize(
    ("slug", "base"),
    [
        ("cherry-studio", "http://127.0.0.1:8000"),
        *((slug, "http://127.0.0.1:8000/v1") for slug in ("open-webui", "dify", "cline", "lobechat")),
    ],
)
def test_a_client_gets_the_address_in_its_own_form(request_: HttpRequest, slug: str, base: str) -> None:
    assert {base, "qwen", ""} <= values(card(slug, request_))


def test_the_public_address_goes_before_the_requests(request_: HttpRequest, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://ai.example.org"
    assert "https://ai.example.org/v1" in values(card("dify", request_))


@pytest.mark.parametrize("slug", ["python", "node", "curl"])
def test_code_holds_address_and_model_and_a_place_for_the_key(request_: HttpRequest, slug: str) -> None:
    before, after = card(slug, request_).snippet_parts
    assert "http://127.0.0.1:8000/v1" in before
    assert "qwen" in before + after


def test_the_command_survives_odd_model_ids(request_: HttpRequest) -> None:
    command = "KEY".join(card("curl", request_, "o'model\"$x").snippet_parts).replace("\\\n", " ")
    payload = shlex.split(command)[-1]
    assert json.loads(payload)["model"] == "o'model\"$x"


def test_python_code_is_python(request_: HttpRequest) -> None:
    compile("KEY".join(card("python", request_, 'odd"model').snippet_parts), "snippet", "exec")


# The page


def test_the_page_fills_in_the_chosen_model(page: Client, offered: list[str]) -> None:
    shown = page.get(f"{CONNECT}?model={offered[1]}")
    assert shown.context["model"] == offered[1]
    assert page.get(f"{CONNECT}?model=unknown").context["model"] == offered[0]


@pytest.mark.django_db
def test_without_an_account_the_cards_still_tell_how() -> None:
    client = Client()
    client.force_login(Member.objects.create(username="nobody"), "django.contrib.auth.backends.ModelBackend")
    shown = client.get(CONNECT).content.decode()
    assert "model-id" in shown
    assert "No XJTLU account is set up for you yet" in shown
    assert shown.count("data-check-start disabled") == len(SLUGS)


# A client's own calls, as the page makes them


@pytest.mark.parametrize("slug", SLUGS)
def test_the_calls_of_each_client_pass(gateway: httpx.Client, page: Client, request_: HttpRequest, slug: str) -> None:
    model = page.get(CONNECT).context["model"]
    key = page.post(BEGIN).json()["api_key"]
    for call in card(slug, request_, model).calls:
        headers = {} if call.method == "OPTIONS" else {"authorization": f"Bearer {key}"}
        response = gateway.request(call.method, call.path, json=call.body, headers=headers)
        assert response.is_success, response.text


def test_a_checks_key_is_short_lived_and_revoked_at_the_end(page: Client) -> None:
    issued = page.post(BEGIN)
    assert "no-store" in issued.headers["cache-control"]
    key = ApiKey.objects.get(pk=issued.json()["id"])
    assert key.expires_at is not None
    assert key.expires_at < timezone.now() + timedelta(minutes=11)
    assert page.post(f"{BEGIN}{key.pk}/end/").status_code == 204
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_check_ends_no_other_key(page: Client, account: Account) -> None:
    mine = key_issue(member=account.member, name="laptop")[0]
    others = key_issue(member=Member.objects.create(username="bob"), name="Connection check")[0]
    for key in (mine, others):
        assert page.post(f"{BEGIN}{key.pk}/end/").status_code == 404
        assert ApiKey.objects.get(pk=key.pk).is_live


def test_a_check_without_room_for_a_key_says_why(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.keys.MAX_LIVE_KEYS", 0)
    response = page.post(BEGIN)
    assert response.status_code == 409
    assert "Revoke one" in response.json()["error"]


@pytest.mark.parametrize("path", [BEGIN, f"{BEGIN}1/end/", "/dashboard/models/refresh/"])
def test_a_check_is_not_begun_by_looking(page: Client, path: str) -> None:
    assert page.get(path).status_code == 405


# Models


def test_the_models_page_tells_what_a_model_can_and_costs(page: Client, account: Account) -> None:
    catalogue.store(account.pk, [Model(id="m", label="M", price="2", points=2.0, thinking=True, expired="2027-01-31")])
    shown = page.get("/dashboard/models/").content.decode()
    for word in ("2 points", "Reasoning", ">2027-01-31 23:59</time>", 'data-copy-text="m"'):
        assert word in shown


def test_a_model_that_is_over_is_marked_and_an_odd_date_stays_as_it_is(page: Client, account: Account) -> None:
    models = [Model(id="old", label="Old", expired="2026-06-30 23:59:59"), Model(id="odd", label="Odd", expired="soon")]
    catalogue.store(account.pk, models)
    shown = page.get("/dashboard/models/").content.decode()
    assert re.search(r'<span class="badge badge-warn">expired</span> <time [^>]*>2026-06-30 23:59</time>', shown)
    assert "Expires soon" in shown


def test_a_page_that_waits_for_the_first_models_is_loaded_anew_with_them(page: Client, offered: list[str]) -> None:
    Catalogue.objects.all().delete()
    ready = "/dashboard/models/ready/"
    for url in ("/dashboard/models/", "/dashboard/playground/"):
        assert f'hx-get="{ready}"' in page.get(url).content.decode()
    assert page.get(ready).status_code == 204
    catalogue.store(Account.objects.get().pk, [Model(id="m", label="M")])
    assert page.get(ready)["HX-Refresh"] == "true"
    assert ready not in page.get("/dashboard/models/").content.decode()


def test_a_page_does_not_wait_for_an_account_that_is_logged_out(page: Client) -> None:
    Catalogue.objects.all().delete()
    UpstreamToken.objects.all().delete()
    assert "/dashboard/models/ready/" not in page.get("/dashboard/models/").content.decode()


@pytest.mark.django_db
def test_without_models_the_page_says_why() -> None:
    client = Client()
    client.force_login(Member.objects.create(username="nobody"), "django.contrib.auth.backends.ModelBackend")
    assert "They come with your XJTLU account" in client.get("/dashboard/models/").content.decode()


@pytest.fixture
def signed_in(gateway: httpx.Client, account: Account, offered: list[str]) -> httpx.Client:
    as_page(gateway, account.member)
    gateway.follow_redirects = True
    return gateway


def test_the_school_is_asked_again(signed_in: httpx.Client, school: School) -> None:
    shown = signed_in.post("/dashboard/models/refresh/").text
    assert "These are the models that the school offers now." in shown
    assert len(Catalogue.objects.get().offered) > 2
    assert school.calls() == ["config"]


def test_a_school_that_fails_is_told_in_words(signed_in: httpx.Client, school: School) -> None:
    school.fault("malformed", times=None)
    shown = signed_in.post("/dashboard/models/refresh/", headers={"accept-language": "zh-CN"}).text
    assert '<p class="notice bad">无法解析学校的响应' in shown
    until(lambda: school.calls())
