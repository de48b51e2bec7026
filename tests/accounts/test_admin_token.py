"""A token pasted in the admin, for an account whose sign-on asks for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client

from accounts.models import Account, AuditEntry, Member
from accounts.services import member_add
from tests.tokens.test_services import pasted
from tokens.models import UpstreamToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24")


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


def page_of(account: Account) -> str:
    return f"/admin/accounts/account/{account.pk}/token/"


def paste(client: Client, account: Account, token: Any) -> HttpResponse:
    return client.post(page_of(account), {"token": json.dumps(token)})  # type: ignore[return-value]


def test_a_good_token_is_stored_and_noted(boss: Client, account: Account) -> None:
    assert paste(boss, account, pasted()).status_code == 302
    assert UpstreamToken.objects.get().account == account
    assert AuditEntry.objects.get().action == "Pasted a token."


def test_another_user_s_token_is_refused_with_the_reason(boss: Client, account: Account) -> None:
    other = member_add(name="li", xjtlu_username="Si.Li23")
    answer = paste(boss, other, pasted())
    assert "belongs to another XJTLU user" in answer.content.decode()
    assert not UpstreamToken.objects.exists()
    assert not AuditEntry.objects.exists()


def test_what_is_no_json_is_said_with_its_place(boss: Client, account: Account) -> None:
    answer = boss.post(page_of(account), {"token": "{"})
    assert "look at line 1, column 2" in answer.content.decode()


def test_who_may_only_look_pastes_nothing(account: Account) -> None:
    helper = Member.objects.create_user("helper", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_account"))
    client = Client()
    client.force_login(helper)
    assert paste(client, account, pasted()).status_code == 403
    assert page_of(account) not in client.get(f"/admin/accounts/account/{account.pk}/change/").content.decode()
