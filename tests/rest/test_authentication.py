"""Who may ask, and how refusals look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.keys import key_issue, key_revoke
from accounts.models import Account, ApiKey, Member, SecondFactor
from gateway.rest.throttles import MemberThrottle
from tests.rest.conftest import error, page, program


def bearer(text: str) -> Client:
    return Client(headers={"authorization": f"Bearer {text}"})


def test_nobody_is_told_how_to_sign_in() -> None:
    answer = Client().get("/api/me/")
    assert answer.status_code == 401
    assert answer["www-authenticate"].startswith("Bearer")
    assert error(answer)["type"] == "authentication_error"


def test_a_session_and_a_key_open_it(alice: Account) -> None:
    for client in (page(alice.member), program(alice.member)):
        assert client.get("/api/me/").json()["username"] == "alice"


def test_a_key_without_management_is_told_where_to_switch_it_on(alice: Account) -> None:
    answer = bearer(key_issue(member=alice.member)[1]).get("/api/me/")
    assert answer.status_code == 403
    assert error(answer)["code"] == "management_not_allowed"
    assert "Management API" in error(answer)["message"]


def test_a_revoked_key_is_refused(alice: Account) -> None:
    key, text = key_issue(member=alice.member, may_manage=True)
    key_revoke(key=key)
    answer = bearer(text).get("/api/me/")
    assert (answer.status_code, error(answer)["code"]) == (401, "invalid_api_key")
    assert answer["www-authenticate"]
    assert text not in answer.content.decode()


def test_an_expired_key_is_refused(alice: Account) -> None:
    past = timezone.now() - timedelta(seconds=1)
    text = key_issue(member=alice.member, may_manage=True, expires_at=past)[1]
    assert bearer(text).get("/api/me/").status_code == 401


def test_a_key_is_bound_to_its_networks(alice: Account) -> None:
    client = program(alice.member, allowed_networks=["192.0.2.0/24"])
    assert client.get("/api/me/", REMOTE_ADDR="192.0.2.9").status_code == 200
    answer = client.get("/api/me/", REMOTE_ADDR="198.51.100.1")
    assert (answer.status_code, error(answer)["code"]) == (403, "ip_not_authorized")


def test_a_key_is_bound_to_its_number_of_requests(alice: Account) -> None:
    client = program(alice.member, requests_per_day=1)
    assert client.get("/api/me/").status_code == 200
    answer = client.get("/api/me/")
    assert (answer.status_code, error(answer)["type"]) == (429, "rate_limit_error")


def test_a_member_who_may_not_sign_in_has_no_api(alice: Account) -> None:
    client = program(alice.member)
    Member.objects.filter(pk=alice.member_id).update(is_active=False)
    assert client.get("/api/me/").status_code == 401


def test_a_change_from_a_page_needs_the_csrf_token(alice: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.member)
    answer = client.patch("/api/me/", {"time_zone": "Asia/Tokyo"}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in error(answer)["message"]


def test_a_change_by_a_key_needs_no_csrf_token(alice: Account) -> None:
    text = key_issue(member=alice.member, may_manage=True)[1]
    client = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {text}"})
    answer = client.patch("/api/me/", {"time_zone": "Asia/Tokyo"}, content_type="application/json")
    assert answer.status_code == 200


def test_staff_without_their_second_factor_get_nothing(boss: Member, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    for client in (page(boss), program(boss)):
        answer = client.get("/api/me/", headers={"accept": "application/json"})
        assert (answer.status_code, error(answer)["code"]) == (403, "second_factor_required")


def test_staff_with_their_second_factor_have_programs(boss: Member, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    SecondFactor.objects.create(user=boss, name="app", confirmed=True)
    assert program(boss).get("/api/accounts/").status_code == 200


def test_a_members_key_needs_no_second_factor(alice: Account, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    assert program(alice.member).get("/api/me/").status_code == 200


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/me", "/api/keys/x/", "/api/accounts/1/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_path_answers_json(path: str, method: str) -> None:
    answer = getattr(Client(), method)(path)
    assert answer.status_code == 404
    assert error(answer)["code"] == "unknown_url"


def test_a_wrong_method_answers_json(alice: Account) -> None:
    answer = page(alice.member).put("/api/me/")
    assert (answer.status_code, error(answer)["code"]) == (405, "method_not_allowed")


def test_a_body_that_is_no_json_is_named(alice: Account) -> None:
    answer = page(alice.member).patch("/api/me/", "{", content_type="application/json")
    assert (answer.status_code, error(answer)["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", ["/api/usage/a%00b/", "/api/usage/?member=a%00b", "/api/usage/?key=9" + 30 * "9"])
def test_an_address_that_no_database_takes_is_refused(path: str, boss: Member) -> None:
    assert page(boss).get(path).status_code == 400


def test_a_number_beyond_all_rows_is_not_there(alice: Account) -> None:
    assert page(alice.member).get(f"/api/keys/{2**70}/").status_code == 404


def test_a_failure_of_ours_is_json_without_its_reason(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr("gateway.rest.me.MeSerializer.get_account", fail)
    client = page(alice.member)
    client.raise_request_exception = False
    answer = client.get("/api/me/")
    assert (answer.status_code, error(answer)["code"]) == (500, "internal_error")
    assert "secret" not in answer.content.decode()


def test_a_loop_is_slowed_down(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemberThrottle, "rate", "2/min")
    client = page(alice.member)
    statuses = [client.get("/api/me/").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert int(client.get("/api/me/")["retry-after"]) > 0


def test_no_answer_is_kept_by_a_proxy(alice: Account) -> None:
    client = page(alice.member)
    for answer in (client.get("/api/me/"), client.get("/api/nothing/"), Client().get("/api/me/")):
        assert answer["cache-control"] == "no-store"


def test_a_key_notes_its_use(alice: Account) -> None:
    program(alice.member).get("/api/me/", REMOTE_ADDR="192.0.2.9")
    assert ApiKey.objects.get().last_used_from == "192.0.2.9"
