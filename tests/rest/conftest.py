"""Members of the management API: Alice, Bob and a boss, each in a browser and some with a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from accounts.keys import key_issue
from accounts.models import Account, Member
from accounts.services import member_add
from gateway.models import UsageRecord, UsageStatus


@pytest.fixture(autouse=True)
def _unthrottled(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis, where the machine is busy."""
    monkeypatch.setattr("gateway.health.components.PING_SECONDS", 30)


@pytest.fixture
def alice() -> Account:
    return member_add(name="alice", xjtlu_username="Alice.A24")


@pytest.fixture
def bob() -> Account:
    return member_add(name="bob", xjtlu_username="Bob.B24")


@pytest.fixture
def boss() -> Member:
    return Member.objects.create_superuser("boss")


def staff(*permissions: str) -> Member:
    """A member of the staff who may do this and no more: permissions such as `accounts.view_account`."""
    member = Member.objects.create_user("helper", is_staff=True)
    permit(member, *permissions)
    return member


def permit(member: Member, *permissions: str) -> None:
    """These permissions, and no others."""
    names = [permission.partition(".")[2] for permission in permissions]
    member.user_permissions.set(Permission.objects.filter(codename__in=names))


def page(member: Member) -> Client:
    """A signed-in browser."""
    client = Client()
    client.force_login(member)
    return client


def program(member: Member, **limits: Any) -> Client:
    """A program with a key that opens the management API."""
    text = key_issue(member=member, name="program", may_manage=True, **limits)[1]
    return Client(headers={"authorization": f"Bearer {text}"})


def record(member: Member, request_id: str = "req_1", **fields: Any) -> UsageRecord:
    fields = {"endpoint": "chat/completions", "model": "qwen-3-max", "status": UsageStatus.DONE, **fields}
    return UsageRecord.objects.create(member=member, request_id=request_id, **fields)


def error(answer: Any) -> dict[str, Any]:
    """The error of an answer, which has nothing else."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return dict(body["error"])
