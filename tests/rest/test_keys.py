"""Keys through the management API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import key_find, key_issue
from accounts.models import Account, ApiKey, AuditEntry, Member
from tests.rest.conftest import error, page, program

KEYS = "/api/keys/"


def post(client: Client, path: str = KEYS, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def patch(client: Client, key: ApiKey, **body: Any) -> Any:
    return client.patch(f"{KEYS}{key.pk}/", body, content_type="application/json")


def own() -> ApiKey:
    """The key by which a program comes."""
    return ApiKey.objects.get(name="program")


def test_keys_of_staff_are_for_admins_alone_to_touch(boss: Member) -> None:
    key = key_issue(member=boss)[0]
    client = page(Member.objects.create_user("helper", is_staff=True))
    answers = [
        post(client, f"{KEYS}?member=boss"),
        client.patch(f"{KEYS}{key.pk}/?member=*", {"name": "x"}, content_type="application/json"),
        client.delete(f"{KEYS}{key.pk}/?member=boss"),
        post(client, f"{KEYS}{key.pk}/rotate/?member=boss"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert list(ApiKey.objects.values_list("name", "revoked_at")) == [("default", None)]


class TestFromAPage:
    def test_a_key_is_created_and_its_text_shown_once(self, alice: Account) -> None:
        client = page(alice.member)
        answer = post(client, name="laptop", requests_per_day=100)
        assert answer.status_code == 201
        text = answer.json()["key"]
        found = key_find(text)
        assert found is not None
        assert (found.name, found.requests_per_day, found.member) == ("laptop", 100, alice.member)
        assert text not in client.get(KEYS).content.decode()
        assert "key" not in client.get(f"{KEYS}{found.pk}/").json()

    def test_no_answer_has_the_hash(self, alice: Account) -> None:
        key = key_issue(member=alice.member)[0]
        answer = page(alice.member).get(KEYS)
        assert key.digest not in answer.content.decode()
        assert answer.json()["results"][0]["prefix"] == f"xg-{key.prefix}-…"

    def test_what_is_wrong_is_named(self, alice: Account) -> None:
        answer = post(page(alice.member), allowed_networks=["10.0.0.0/8", "nowhere"])
        assert answer.status_code == 400
        assert error(answer)["param"] == "allowed_networks"
        assert "nowhere" in error(answer)["message"]

    def test_an_end_in_the_past_is_refused(self, alice: Account) -> None:
        answer = post(page(alice.member), expires_at="2020-01-01T00:00:00Z")
        assert (answer.status_code, error(answer)["param"]) == (400, "expires_at")

    def test_a_change_leaves_the_rest(self, alice: Account) -> None:
        key = key_issue(member=alice.member, name="old", requests_per_day=7)[0]
        answer = patch(page(alice.member), key, name="new", allowed_networks=["10.1.2.3"])
        assert answer.status_code == 200
        key.refresh_from_db()
        assert (key.name, key.requests_per_day, key.allowed_networks) == ("new", 7, ["10.1.2.3/32"])

    def test_both_keys_work_within_the_grace(self, alice: Account) -> None:
        key, old = key_issue(member=alice.member, may_manage=True)
        answer = post(page(alice.member), f"{KEYS}{key.pk}/rotate/", grace_seconds=600)
        assert answer.status_code == 201
        assert answer.json()["replaces"] == key.pk
        for text in (old, answer.json()["key"]):
            found = key_find(text)
            assert found is not None
            assert found.is_live

    def test_a_key_that_ended_cannot_be_rotated(self, alice: Account) -> None:
        key = key_issue(member=alice.member, expires_at=timezone.now() - timedelta(days=1))[0]
        answer = post(page(alice.member), f"{KEYS}{key.pk}/rotate/")
        assert (answer.status_code, error(answer)["code"]) == (409, "key_refused")

    def test_revoking_ends_it_and_can_be_repeated(self, alice: Account) -> None:
        key = key_issue(member=alice.member)[0]
        client = page(alice.member)
        assert [client.delete(f"{KEYS}{key.pk}/").status_code for _ in range(2)] == [204, 204]
        assert client.get(f"{KEYS}{key.pk}/").json()["state"] == "revoked"
        assert AuditEntry.objects.filter(action="Revoked.").count() == 1

    def test_each_change_is_in_the_audit(self, alice: Account) -> None:
        post(page(alice.member), name="laptop")
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.target_kind, entry.address) == (alice.member, "apikey", "127.0.0.1")


class TestWhose:
    @pytest.mark.parametrize("tail", ["", "rotate/"])
    def test_a_key_of_another_is_not_there(self, alice: Account, bob: Account, tail: str) -> None:
        key = key_issue(member=bob.member)[0]
        client = page(alice.member)
        methods = (client.post,) if tail else (client.get, client.patch, client.delete)
        for method in methods:
            assert method(f"{KEYS}{key.pk}/{tail}", content_type="application/json").status_code == 404
        key.refresh_from_db()
        assert key.is_live

    def test_a_list_has_ones_own_only(self, alice: Account, bob: Account) -> None:
        key_issue(member=bob.member)
        assert page(alice.member).get(KEYS).json()["results"] == []

    def test_a_member_cannot_name_another(self, alice: Account, bob: Account) -> None:
        key_issue(member=bob.member)
        for name in ("bob", "*", "nobody-at-all"):
            assert page(alice.member).get(KEYS, {"member": name}).status_code == 403

    def test_staff_see_others_only_by_name(self, boss: Member, bob: Account) -> None:
        key = key_issue(member=bob.member)[0]
        client = page(boss)
        assert client.get(KEYS).json()["results"] == []
        assert client.get(f"{KEYS}{key.pk}/").status_code == 404
        for name in ("bob", "*"):
            assert [each["id"] for each in client.get(KEYS, {"member": name}).json()["results"]] == [key.pk]
            assert client.get(f"{KEYS}{key.pk}/", {"member": name}).status_code == 200

    def test_a_key_for_everybody_makes_no_sense(self, boss: Member) -> None:
        answer = post(page(boss), f"{KEYS}?member=*")
        assert (answer.status_code, error(answer)["param"]) == (400, "member")


class TestThroughAKey:
    def test_a_new_key_does_not_open_the_management_api(self, alice: Account) -> None:
        client = program(alice.member)
        assert post(client, name="other").json()["may_manage"] is False
        answer = post(client, name="other", may_manage=True)
        assert (answer.status_code, error(answer)["code"]) == (403, "key_may_not_widen")

    def test_a_new_key_is_bound_like_its_maker(self, alice: Account) -> None:
        end = timezone.now() + timedelta(days=1)
        client = program(alice.member, allowed_models=["a", "b"], expires_at=end)
        made = post(client, name="other").json()
        assert made["allowed_models"] == ["a", "b"]
        assert made["expires_at"] is not None
        assert post(client, name="narrow", allowed_models=["a"]).status_code == 201

    @pytest.mark.parametrize(
        "wider",
        [{"allowed_models": []}, {"allowed_models": ["c"]}, {"expires_at": None}, {"allowed_networks": ["0.0.0.0/0"]}],
    )
    def test_a_new_key_is_no_wider_than_its_maker(self, alice: Account, wider: dict[str, Any]) -> None:
        end = timezone.now() + timedelta(days=1)
        client = program(alice.member, allowed_models=["a"], allowed_networks=["127.0.0.0/8"], expires_at=end)
        answer = post(client, name="other", **wider)
        assert (answer.status_code, error(answer)["code"]) == (403, "key_may_not_widen")

    def test_a_key_with_a_limit_of_requests_makes_none(self, alice: Account) -> None:
        assert post(program(alice.member, requests_per_day=50), name="other").status_code == 403

    def test_a_key_cannot_widen_itself(self, alice: Account) -> None:
        client = program(alice.member, requests_per_day=50)
        assert patch(client, own(), requests_per_day=None).status_code == 403
        assert patch(client, own(), requests_per_day=51).status_code == 403
        assert patch(client, own(), requests_per_day=49).status_code == 200

    def test_a_key_cannot_open_the_management_api_to_another(self, alice: Account) -> None:
        other = key_issue(member=alice.member)[0]
        assert patch(program(alice.member), other, may_manage=True).status_code == 403

    def test_a_key_rotates_itself_and_ends_when_it_would_have(self, alice: Account) -> None:
        end = timezone.now() + timedelta(days=1)
        client = program(alice.member, expires_at=end)
        new = post(client, f"{KEYS}{own().pk}/rotate/", grace_seconds=0).json()
        assert ApiKey.objects.get(pk=new["id"]).expires_at == end
        assert new["may_manage"] is True
        assert client.get("/api/me/").status_code == 401

    @pytest.mark.parametrize("more", [{"may_manage": True}, {"allowed_models": ["b"]}])
    def test_a_key_gets_no_text_of_one_that_may_do_more(self, alice: Account, more: dict[str, Any]) -> None:
        other = key_issue(member=alice.member, **more)[0]
        client = program(alice.member, allowed_models=["a"])
        assert post(client, f"{KEYS}{other.pk}/rotate/").status_code == 403

    def test_a_key_rotates_one_that_may_do_no_more(self, alice: Account) -> None:
        other = key_issue(member=alice.member)[0]
        assert post(program(alice.member), f"{KEYS}{other.pk}/rotate/").status_code == 201
