"""The pages of a member's keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import key_find, key_issue, key_revoke, key_rotate
from accounts.models import Account, ApiKey, AuditEntry, Member
from gateway import catalogue
from gateway.models import UsageRecord, UsageStatus
from gateway.school.catalog import Model

pytestmark = pytest.mark.django_db
KEYS, NEW = "/dashboard/keys/", "/dashboard/keys/new/"
TEXT = re.compile(r"xg-[0-9a-f]{10}-[0-9a-f]{48}")
MODELS = (Model(id="qwen", label="Qwen 3.6"), Model(id="luna", label="Luna"))


@pytest.fixture
def member() -> Member:
    member = Member.objects.create(username="alice")
    account = Account.objects.create(member=member, username="Alice.A24")
    catalogue.store(account.pk, MODELS)
    return member


@pytest.fixture
def page(member: Member) -> Client:
    client = Client()
    client.force_login(member, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def key(member: Member) -> ApiKey:
    return key_issue(member=member, name="laptop", allowed_models=["qwen"])[0]


def words(response: Any) -> str:
    return str(response.content.decode())


def form(**fields: object) -> dict[str, object]:
    return {"name": "Dify", "expiry": "never", "once": uuid4(), **fields}


def audited() -> list[tuple[str, str]]:
    return [(entry.actor_name, entry.action) for entry in AuditEntry.objects.order_by("pk")]


# Create


def test_a_new_key_is_shown_once_with_its_settings(page: Client, member: Member) -> None:
    limits = {"allowed_models": ["qwen"], "requests_per_day": 9, "allowed_networks": "10.0.0.1/8, 192.0.2.7"}
    response = page.post(NEW, form(web_search="on", **limits))
    text = TEXT.search(words(response))
    assert text is not None
    key = key_find(text[0])
    assert key is not None
    assert (key.member, key.web_search, key.fold_reasoning) == (member, True, False)
    assert (key.allowed_models, key.requests_per_day) == (["qwen"], 9)
    assert key.allowed_networks == ["10.0.0.0/8", "192.0.2.7/32"]
    assert "no-store" in response.headers["cache-control"]
    assert text[0] not in words(page.get(KEYS))
    assert audited() == [("alice", "Issued.")]


def test_a_key_without_an_end_never_expires_and_one_without_a_use_was_never_used(page: Client, key: ApiKey) -> None:
    for url in (KEYS, f"{KEYS}{key.pk}/"):
        shown = words(page.get(url, headers={"accept-language": "zh-CN"}))
        assert (shown.count("永不"), shown.count("从未")) == (1, 1)


def test_the_clients_card_beside_a_new_key_holds_it(page: Client) -> None:
    shown = words(page.post(NEW, form(allowed_models=["luna"])))
    text = TEXT.search(shown)
    assert text is not None
    assert f"api_key=&quot;{text[0]}&quot;" in shown
    assert "model=&quot;luna&quot;" in shown


def test_the_same_form_sent_again_issues_nothing(page: Client) -> None:
    same = form()
    page.post(NEW, same)
    assert page.post(NEW, same).headers["location"] == KEYS
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(("expiry", "days"), [("7", 7), ("365", 365)])
def test_a_key_expires_when_it_was_said(page: Client, expiry: str, days: int) -> None:
    page.post(NEW, form(expiry=expiry))
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=days)) < timedelta(minutes=5)


WRONG: list[dict[str, object]] = [
    {"name": ""},
    {"name": "n" * 101},
    {"expiry": "tomorrow"},
    {"allowed_models": ["not-offered"]},
    {"requests_per_minute": "0"},
    {"requests_per_day": "many"},
    {"allowed_networks": "10.0.0.0/8 home"},
]


@pytest.mark.parametrize("fields", WRONG)
def test_what_makes_no_sense_issues_nothing(page: Client, fields: dict[str, object]) -> None:
    response = page.post(NEW, form(**fields))
    assert 'class="error"' in words(response)
    assert not ApiKey.objects.exists()


def test_too_many_keys_are_refused_in_words(page: Client, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.keys.MAX_LIVE_KEYS", 1)
    key_issue(member=member)
    assert "Revoke one that is not used any more." in words(page.post(NEW, form()))
    assert ApiKey.objects.count() == 1


# Look


def test_the_list_tells_a_keys_state(page: Client, member: Member, key: ApiKey) -> None:
    key_rotate(key=key, grace=timedelta(hours=1))
    expired = key_issue(member=member, name="old", expires_at=timezone.now())[0]
    revoked = key_issue(member=member, name="lost")[0]
    key_revoke(key=revoked)
    shown = words(page.get(KEYS))
    for word in ("Works", "Being replaced", "Expired", "Revoked", expired.prefix, "models: qwen"):
        assert word in shown


def test_without_keys_the_list_leads_to_the_first(page: Client) -> None:
    assert NEW in words(page.get(KEYS))


def test_a_keys_own_page_counts_its_requests(page: Client, member: Member, key: ApiKey) -> None:
    for owner in (key, key, key_issue(member=member)[0]):
        UsageRecord.objects.create(
            member=member, api_key=owner, request_id=uuid4().hex, endpoint="responses", status=UsageStatus.DONE
        )
    response = page.get(f"{KEYS}{key.pk}/?span=24h")
    assert response.context["usage"].total.requests == 2
    assert page.get(f"{KEYS}{key.pk}/?span=century").status_code == 200


# Change


def test_a_key_is_changed(page: Client, key: ApiKey) -> None:
    page.post(f"{KEYS}{key.pk}/edit/", form(name="desk", requests_per_minute="5", expiry="never"))
    key.refresh_from_db()
    assert (key.name, key.requests_per_minute, key.allowed_models) == ("desk", 5, [])
    assert audited() == [("alice", "Changed.")]


def test_an_expiry_that_is_not_touched_stays(page: Client, key: ApiKey) -> None:
    soon = timezone.now() + timedelta(days=3)
    ApiKey.objects.update(expires_at=soon)
    page.post(f"{KEYS}{key.pk}/edit/", form(expiry="keep"))
    assert ApiKey.objects.get().expires_at == soon


def test_a_replaced_key_is_not_made_to_live_on(page: Client, key: ApiKey) -> None:
    key_rotate(key=key, grace=timedelta(hours=1))
    response = page.post(f"{KEYS}{key.pk}/edit/", form(expiry="never"))
    assert "Another key replaces this one" in words(response)


def test_a_model_that_is_not_offered_any_more_stays_with_its_key(page: Client, key: ApiKey) -> None:
    ApiKey.objects.update(allowed_models=["gone"])
    page.post(f"{KEYS}{key.pk}/edit/", form(allowed_models=["gone", "qwen"]))
    assert ApiKey.objects.get().allowed_models == ["gone", "qwen"]


def test_a_revoked_key_is_not_changed(page: Client, key: ApiKey) -> None:
    key_revoke(key=key)
    page.post(f"{KEYS}{key.pk}/edit/", form(name="desk"))
    assert ApiKey.objects.get().name == "laptop"


# Rotate and revoke


@pytest.mark.parametrize(("hours", "works"), [("0", False), ("1", True), ("24", True), ("168", True)])
def test_a_key_is_rotated_with_a_grace(page: Client, key: ApiKey, hours: str, works: bool) -> None:
    response = page.post(f"{KEYS}{key.pk}/rotate/", {"grace": hours, "once": uuid4()})
    text = TEXT.search(words(response))
    assert text is not None
    new = key_find(text[0])
    assert new is not None
    assert new.replaces == key
    key.refresh_from_db()
    assert key.is_live is works
    assert audited() == [("alice", "Rotated.")]


def test_a_rotation_sent_again_rotates_nothing(page: Client, key: ApiKey) -> None:
    same = {"grace": "24", "once": uuid4()}
    for _ in range(2):
        page.post(f"{KEYS}{key.pk}/rotate/", same)
    assert ApiKey.objects.count() == 2


def test_a_key_is_not_rotated_twice(page: Client, key: ApiKey) -> None:
    for _ in range(2):
        page.post(f"{KEYS}{key.pk}/rotate/", {"grace": "24", "once": uuid4()})
    assert ApiKey.objects.count() == 2


def test_a_key_is_revoked(page: Client, key: ApiKey) -> None:
    assert page.post(f"{KEYS}{key.pk}/revoke/").headers["location"] == KEYS
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert audited() == [("alice", "Revoked.")]


@pytest.mark.parametrize("what", ["", "edit/", "rotate/", "revoke/"])
def test_looking_changes_nothing(page: Client, key: ApiKey, what: str) -> None:
    assert page.get(f"{KEYS}{key.pk}/{what}").status_code == 200
    assert ApiKey.objects.get().is_live
    assert audited() == []


@pytest.mark.parametrize("what", ["", "new/", "{pk}/", "{pk}/edit/", "{pk}/rotate/", "{pk}/revoke/"])
def test_the_menu_says_that_these_are_the_keys(page: Client, key: ApiKey, what: str) -> None:
    address = KEYS + what.format(pk=key.pk)
    assert f'href="{KEYS}" aria-current="page"' in words(page.get(address))


@pytest.mark.parametrize("what", ["", "edit/", "rotate/", "revoke/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_somebody_elses_key_is_not_there(page: Client, what: str, method: str) -> None:
    other = key_issue(member=Member.objects.create(username="bob"))[0]
    response = getattr(page, method)(f"{KEYS}{other.pk}/{what}", form(grace="0"))
    assert response.status_code == (405 if (method, what) == ("post", "") else 404)
    assert ApiKey.objects.get().is_live


@pytest.mark.parametrize("path", [KEYS, NEW, f"{KEYS}1/", "/dashboard/models/", "/dashboard/connect/"])
def test_nobody_is_led_to_the_sign_in(path: str) -> None:
    assert Client().get(path).headers["location"].startswith("/dashboard/sign-in/")
