"""Usage through the management API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import key_issue
from accounts.models import Account, Member
from gateway.models import TokenSource, UsageStatus
from gateway.usage import rollups
from tests.rest.conftest import error, page, record

USAGE = "/api/usage/"
SUMS = "/api/usage/rollups/"


def ids(answer: Any) -> list[str]:
    return [row["request_id"] for row in answer.json()["results"]]


@pytest.fixture
def client(alice: Account) -> Client:
    return page(alice.member)


def test_the_list_is_ones_own_newest_first(client: Client, alice: Account, bob: Account) -> None:
    now = timezone.now()
    record(alice.member, "old", created_at=now - timedelta(hours=1))
    record(alice.member, "new", created_at=now)
    record(bob.member, "other")
    assert ids(client.get(USAGE)) == ["new", "old"]


def test_unknown_is_null_and_never_zero(client: Client, alice: Account) -> None:
    record(alice.member)
    row = client.get(USAGE).json()["results"][0]
    assert row["prompt_tokens"] is row["first_token_ms"] is row["key"] is row["key_name"] is None


def test_pages_follow_each_other_even_at_one_moment(client: Client, alice: Account) -> None:
    now = timezone.now()
    for number in range(7):
        record(alice.member, f"r{number}", created_at=now)
    found: list[str] = []
    address = f"{USAGE}?limit=3"
    while address:
        answer = client.get(address)
        found += ids(answer)
        address = answer.json()["next"]
    assert found == [f"r{number}" for number in reversed(range(7))]


@pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=W10", "limit=0", "limit=9999", "limit=x"])
def test_a_wrong_page_is_named(client: Client, query: str) -> None:
    answer = client.get(f"{USAGE}?{query}")
    assert (answer.status_code, error(answer)["param"]) == (400, query.partition("=")[0])


def test_filters_narrow_the_list(client: Client, alice: Account) -> None:
    key = key_issue(member=alice.member)[0]
    now = timezone.now()
    record(alice.member, "r1", api_key=key, model="a", created_at=now - timedelta(days=2))
    record(alice.member, "r2", model="b", status=UsageStatus.FAILED)
    narrowed = {
        f"key={key.pk}": "r1",
        "model=b": "r2",
        "status=failed": "r2",
        "request_id=r1": "r1",
        f"to={(now - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}": "r1",
        f"from={(now - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}": "r2",
    }
    assert {query: ids(client.get(f"{USAGE}?{query}")) for query in narrowed} == {
        query: [request_id] for query, request_id in narrowed.items()
    }


def test_a_filter_that_cannot_be_read_is_named(client: Client) -> None:
    answer = client.get(f"{USAGE}?from=yesterday")
    assert (answer.status_code, error(answer)["param"]) == (400, "from")


def test_one_request_has_its_way_and_its_cause(client: Client, alice: Account) -> None:
    record(alice.member, status=UsageStatus.FAILED, error_code="school_unreachable", http_status=503, total_ms=900)
    body = client.get(f"{USAGE}req_1/").json()
    assert body["timeline"][0]["name"] == "key"
    assert body["explanation"]["who_must_act"] == "school"
    assert body["explanation"]["retry"] == "safe"


def test_one_good_request_needs_no_explanation(client: Client, alice: Account) -> None:
    record(alice.member)
    assert client.get(f"{USAGE}req_1/").json()["explanation"] is None


def test_a_request_of_another_is_not_there(client: Client, bob: Account, boss: Member) -> None:
    record(bob.member)
    assert client.get(f"{USAGE}req_1/").status_code == 404
    assert page(boss).get(f"{USAGE}req_1/").status_code == 404
    assert page(boss).get(f"{USAGE}req_1/?member=bob").status_code == 200


def test_staff_see_all_requests_only_when_they_say_so(boss: Member, bob: Account) -> None:
    record(bob.member)
    assert ids(page(boss).get(USAGE)) == []
    assert ids(page(boss).get(f"{USAGE}?member=*")) == ["req_1"]
    assert page(boss).get(f"{USAGE}?member=nobody").status_code == 404


class TestSums:
    NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    """In Shanghai, where the gateway's clock is."""

    @pytest.fixture(autouse=True)
    def _records(self, alice: Account, bob: Account) -> None:
        counts: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "token_source": TokenSource.SCHOOL}
        record(alice.member, "r1", created_at=self.NOON, model="a", first_token_ms=100, **counts)
        record(alice.member, "r2", created_at=self.NOON + timedelta(minutes=59), model="b", **counts)
        record(alice.member, "r3", created_at=self.NOON + timedelta(hours=1), model="a", status=UsageStatus.FAILED)
        record(alice.member, "r4", created_at=self.NOON + timedelta(days=1), model="a")
        record(alice.member, "r5", created_at=self.NOON, model="a", status=UsageStatus.OPEN)
        record(bob.member, "r6", created_at=self.NOON, model="a")

    def rows(self, client: Client, **query: str) -> list[dict[str, Any]]:
        bounds = {"from": "2026-03-02T12:00:00+08:00", "to": "2026-03-04T00:00:00+08:00"}
        rows, following = [], f"{SUMS}?{urlencode({**bounds, **query})}"
        while following:
            answer = client.get(following)
            assert answer.status_code == 200, answer.content
            rows += answer.json()["results"]
            following = answer.json()["next"]
        return rows

    @pytest.mark.parametrize("rolled_up", [False, True])
    def test_days_are_summed(self, client: Client, rolled_up: bool) -> None:
        if rolled_up:
            rollups.roll_up()
        first, second = self.rows(client, by="day")
        assert first["start"] == "2026-03-02T00:00:00+08:00"
        assert (first["requests"], first["done"], first["failed"], first["prompt_tokens"]) == (3, 2, 1, 20)
        assert (second["requests"], second["prompt_tokens"]) == (1, None)

    @pytest.mark.parametrize("rolled_up", [False, True])
    def test_hours_of_each_model_are_summed(self, client: Client, rolled_up: bool) -> None:
        if rolled_up:
            rollups.roll_up()
        rows = self.rows(client, by="hour", group="model")
        assert [(row["start"][11:13], row["model"], row["requests"]) for row in rows] == [
            ("12", "a", 1),
            ("12", "b", 1),
            ("13", "a", 1),
            ("12", "a", 1),
        ]

    def test_what_is_not_rolled_up_yet_counts_too(self, client: Client, alice: Account) -> None:
        rollups.roll_up()
        rollups.rewind(to=self.NOON + timedelta(hours=1))
        assert [row["requests"] for row in self.rows(client, by="day")] == [3, 1]

    def test_a_key_is_summed_alone(self, client: Client, alice: Account) -> None:
        key = key_issue(member=alice.member)[0]
        record(alice.member, "r7", created_at=self.NOON, api_key=key)
        assert [row["requests"] for row in self.rows(client, key=str(key.pk))] == [1]
        assert {row["key"] for row in self.rows(client, group="key")} == {None, key.pk}

    def test_another_members_usage_is_not_in_it(self, client: Client, boss: Member) -> None:
        assert sum(row["requests"] for row in self.rows(client)) == 4
        assert sum(row["requests"] for row in self.rows(page(boss), member="*")) == 5
        assert self.rows(page(boss)) == []

    def test_without_bounds_it_is_the_last_days(self, client: Client) -> None:
        assert client.get(SUMS).json() == {"next": None, "results": []}

    @pytest.mark.parametrize(
        "query",
        [
            {"by": "hour", "from": "2026-01-01T00:00Z", "to": "2026-03-01T00:00Z"},
            {"from": "2026-03-02T00:00Z", "to": "2026-03-01T00:00Z"},
        ],
    )
    def test_too_long_or_upside_down_is_named(self, client: Client, query: dict[str, str]) -> None:
        answer = client.get(SUMS, query)
        assert (answer.status_code, error(answer)["param"]) == (400, "from")
