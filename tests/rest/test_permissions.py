"""What staff may do through the management API: what the admin's pages let them, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.keys import key_issue
from accounts.models import Account, AuditEntry, Member
from tests.processes import ROOT
from tests.rest.conftest import error, page, permit, program, record, staff

PERMISSIONS = {
    ("get", "/api/accounts/"): "accounts.view_account",
    ("get", "/api/accounts/{account}/"): "accounts.view_account",
    ("post", "/api/accounts/{account}/log-in/"): "accounts.change_account",
    ("post", "/api/accounts/{account}/pause/"): "accounts.change_account",
    ("post", "/api/accounts/{account}/resume/"): "accounts.change_account",
    ("get", "/api/keys/?member=*"): "accounts.view_apikey",
    ("post", "/api/keys/?member=alice"): "accounts.add_apikey",
    ("get", "/api/keys/{key}/?member=*"): "accounts.view_apikey",
    ("patch", "/api/keys/{key}/?member=*"): "accounts.change_apikey",
    ("delete", "/api/keys/{key}/?member=*"): "accounts.change_apikey",
    ("post", "/api/keys/{key}/rotate/?member=*"): "accounts.change_apikey",
    ("get", "/api/usage/?member=*"): "gateway.view_usagerecord",
    ("get", "/api/usage/req_1/?member=*"): "gateway.view_usagerecord",
    ("get", "/api/usage/rollups/?member=*"): "gateway.view_usagerecord",
    ("get", "/api/health/"): "gateway.view_heartbeat",
}
EVERYTHING = set(PERMISSIONS.values())


def ask(client: Client, method: str, path: str, account: Account) -> Any:
    key = account.member.api_keys.exclude(name="program").get()
    kind = {} if method == "get" else {"content_type": "application/json"}
    return getattr(client, method)(path.format(account=account.pk, key=key.pk), **kind)


@pytest.fixture
def account(alice: Account) -> Account:
    key_issue(member=alice.member)
    record(alice.member)
    return alice


@pytest.mark.parametrize(("method", "path"), PERMISSIONS)
def test_it_takes_the_permission_of_the_admins_page(method: str, path: str, account: Account) -> None:
    permission = PERMISSIONS[method, path]
    helper = staff(*EVERYTHING - {permission, permission.replace("view", "change")})
    for client in (page(helper), program(helper)):
        answer = ask(client, method, path, account)
        assert (answer.status_code, error(answer)["code"]) == (403, "permission_denied")
        assert permission in error(answer)["message"]
    assert not AuditEntry.objects.exists()
    permit(helper, permission)
    # 503: there is no XJTLU password with which a login could be.
    assert ask(page(helper), method, path, account).status_code in (200, 201, 202, 204, 503)


def test_who_may_change_accounts_may_see_them(account: Account) -> None:
    assert page(staff("accounts.change_account")).get("/api/accounts/").status_code == 200


def test_staff_without_permissions_reach_their_own_things(account: Account) -> None:
    client = page(staff())
    assert {client.get(f"/api/{path}/").status_code for path in ("me", "keys", "usage", "usage/rollups")} == {200}


def test_permissions_alone_make_nobody_staff(account: Account) -> None:
    helper = staff(*EVERYTHING)
    Member.objects.filter(pk=helper.pk).update(is_staff=False)
    for method, path in PERMISSIONS:
        assert ask(page(helper), method, path, account).status_code == 403


def test_schema_and_docs_name_each_permission(account: Account) -> None:
    paths = json.loads(page(account.member).get("/api/schema/?format=json").content)["paths"]
    docs = (ROOT / "docs" / "api.md").read_text()
    for (method, path), permission in PERMISSIONS.items():
        template = path.partition("?")[0].replace("{account}", "{id}").replace("{key}", "{id}")
        operation = paths[template.replace("req_1", "{request_id}")][method]
        assert f"the permission `{permission}`" in operation["description"]
        assert f"`{permission}`" in docs
