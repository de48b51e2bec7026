"""What a key may be used for: its networks, its models, its requests per minute and day."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import httpx
import pytest
from django.db import connections

from accounts.keys import KeySettings, key_change, key_issue, key_rotate
from accounts.models import Account, ApiKey
from gateway import allowances
from gateway.allowances import Standing
from gateway.api.auth import check_standing
from gateway.callers import Bounds
from gateway.errors import KeyLimitReached
from gateway.models import Allowance
from tests.conftest import body, closed_record
from tests.school import MODEL, School

CHAT = "/v1/chat/completions"


def limit(**limits: object) -> None:
    key_change(key=ApiKey.objects.get(), **limits)  # type: ignore[arg-type]


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def counted(response: httpx.Response) -> tuple[str, str]:
    return response.headers["x-ratelimit-limit-requests"], response.headers["x-ratelimit-remaining-requests"]


# Networks


def test_a_key_for_other_networks_is_403_and_on_record(client: httpx.Client, school: School) -> None:
    limit(allowed_networks=["192.0.2.0/24"])
    response = client.post(CHAT, json=body())
    assert code(response) == (403, "ip_not_authorized")
    assert "127.0.0.1" in response.json()["error"]["message"]
    assert closed_record().error_code == "ip_not_authorized"
    assert school.calls() == []


def test_a_key_is_not_used_by_an_address_that_it_is_not_for(client: httpx.Client) -> None:
    limit(allowed_networks=["192.0.2.0/24"])
    client.get("/v1/models")
    assert ApiKey.objects.get().last_used_at is None


def test_a_key_for_this_network_works(client: httpx.Client) -> None:
    limit(allowed_networks=["192.0.2.0/24", "127.0.0.0/8"])
    assert client.get("/v1/models").status_code == 200
    assert ApiKey.objects.get().last_used_from == "127.0.0.1"


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("10.0.0.0/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.9.8.7", True),
        ("10.0.0.0/8", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("0.0.0.0/0", None, False),
    ],
)
def test_an_address_is_in_a_network_or_not(network: str, address: str | None, allowed: bool) -> None:
    assert Bounds(networks=(network,)).allow_address(address) is allowed


def test_an_address_that_the_client_claims_is_not_believed(client: httpx.Client) -> None:
    limit(allowed_networks=["192.0.2.0/24"])
    response = client.get("/v1/models", headers={"x-forwarded-for": "192.0.2.7"})
    assert code(response) == (403, "ip_not_authorized")


# Models


def test_a_key_lists_and_finds_only_its_models(client: httpx.Client) -> None:
    limit(allowed_models=[MODEL])
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [MODEL]
    assert client.get(f"/v1/models/{MODEL}").status_code == 200
    assert code(client.get("/v1/models/gpt-5.6-luna")) == (404, "model_not_found")


ASKS: list[tuple[str, dict[str, object]]] = [
    ("chat/completions", body()),
    ("completions", {"model": MODEL, "prompt": "hi"}),
    ("responses", {"model": MODEL, "input": "hi"}),
]


@pytest.mark.parametrize(("path", "request_body"), ASKS)
def test_a_model_that_a_key_is_not_for_is_404(
    client: httpx.Client, school: School, path: str, request_body: dict[str, object]
) -> None:
    limit(allowed_models=["gpt-5.6-luna"])
    assert code(client.post(f"/v1/{path}", json=request_body)) == (404, "model_not_found")
    assert school.calls() == []


def test_a_model_with_web_search_is_the_same_model(client: httpx.Client) -> None:
    limit(allowed_models=[MODEL])
    assert client.post(CHAT, json=body() | {"model": f"{MODEL}:online"}).status_code == 200


# Requests per minute and day: by the day here, so that no window ends in the middle of a test


def test_more_requests_than_a_day_allows_are_429(client: httpx.Client, school: School) -> None:
    limit(requests_per_minute=50, requests_per_day=1)
    first, second = (client.post(CHAT, json=body()) for _ in range(2))
    assert (first.status_code, counted(first)) == (200, ("1", "0"))
    assert (code(second), counted(second)) == ((429, "rate_limit_exceeded"), ("1", "0"))
    assert 1 <= int(second.headers["retry-after"]) <= 60
    assert second.headers["x-ratelimit-reset-requests"].endswith("s")
    assert len(school.prompts()) == 1


def test_a_refusal_by_a_limit_is_on_record(client: httpx.Client) -> None:
    limit(requests_per_day=0)
    client.post(CHAT, json=body())
    record = closed_record()
    assert (record.status, record.http_status, record.error_code) == ("failed", 429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("reset", "retry_after", "should_retry"), [(12, "12", None), (60, "60", None), (61, "60", "false")]
)
def test_a_client_is_not_asked_back_before_the_window_ends(
    reset: int, retry_after: str, should_retry: str | None
) -> None:
    with pytest.raises(KeyLimitReached) as raised:
        check_standing(Standing(passed=False, limit=1, remaining=0, reset_seconds=reset, window_seconds=86_400))
    headers = raised.value.headers()
    assert (headers["retry-after"], headers.get("x-should-retry")) == (retry_after, should_retry)


def test_streams_carry_the_limits_too(client: httpx.Client) -> None:
    limit(requests_per_day=5)
    with client.stream("POST", CHAT, json=body(stream=True)) as response:
        assert counted(response) == ("5", "4")


def test_what_only_reads_counts_nothing_but_tells_the_limits(client: httpx.Client) -> None:
    limit(requests_per_day=5)
    assert counted(client.get("/v1/models")) == ("5", "5")
    assert not Allowance.objects.exists()


def test_a_bad_request_counts(client: httpx.Client) -> None:
    limit(requests_per_day=5)
    assert counted(client.post(CHAT, json={})) == ("5", "4")


def test_a_key_without_limits_says_nothing_of_them(client: httpx.Client) -> None:
    assert "x-ratelimit-limit-requests" not in client.post(CHAT, json=body()).headers
    assert not Allowance.objects.exists()


def test_a_key_is_rotated_with_its_limits(client: httpx.Client) -> None:
    limit(requests_per_day=0)
    _, text = key_rotate(key=ApiKey.objects.get(), grace=timedelta(hours=1))
    response = client.post(CHAT, json=body(), headers={"authorization": f"Bearer {text}"})
    assert code(response) == (429, "rate_limit_exceeded")


def test_of_many_requests_at_once_exactly_the_limit_passes(account: Account) -> None:
    key, _ = key_issue(member=account.member, requests_per_day=20)

    def take(_: int) -> bool:
        try:
            return allowances.take(key.pk, Bounds(per_day=20)).passed
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(take, range(50))) == 20


def test_of_many_requests_at_once_exactly_the_limit_reaches_the_school(
    client: httpx.Client,
) -> None:
    limit(requests_per_day=3)
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: client.post(CHAT, json=body()).status_code, range(50)))
    assert sorted(answers) == [200] * 3 + [429] * 47


# The counting itself, at times of our choice

NOON = 1_800_014_400.0
"""A whole minute, in the middle of a day of UTC."""
BOUNDS = Bounds(per_minute=2, per_day=3)


Clock = Callable[[float], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return lambda seconds: monkeypatch.setattr(allowances, "time", SimpleNamespace(time=lambda: NOON + seconds))


@pytest.fixture
def key(account: Account) -> ApiKey:
    limits: KeySettings = {"requests_per_minute": 2, "requests_per_day": 3}
    return key_issue(member=account.member, **limits)[0]


@pytest.mark.parametrize(
    ("moments", "passed"),
    [
        ((0, 1, 2), (True, True, False)),
        ((0, 1, 60), (True, True, True)),
        ((0, 1, 60, 120), (True, True, True, False)),
        ((0, 1, 60, 86_400), (True, True, True, True)),
        # What a minute refused does not count for the day.
        ((0, 1, 2, 3, 60), (True, True, False, False, True)),
    ],
)
def test_windows_begin_anew(key: ApiKey, at: Clock, moments: tuple[int, ...], passed: tuple[bool, ...]) -> None:
    def take(moment: int) -> bool:
        at(moment)
        return allowances.take(key.pk, BOUNDS).passed

    assert tuple(map(take, moments)) == passed


@pytest.mark.parametrize(
    ("moments", "headers"),
    [
        ((0,), ("2", "1", "1m0s")),
        ((0, 30.2), ("2", "0", "30s")),
        ((0, 1, 60.5), ("3", "0", "11h59m0s")),
    ],
)
def test_the_limit_that_is_nearer_decides_the_headers(
    key: ApiKey, at: Clock, moments: tuple[float, ...], headers: tuple[str, ...]
) -> None:
    for moment in moments:
        at(moment)
        standing = allowances.take(key.pk, BOUNDS)
    assert tuple(standing.headers().values()) == headers


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (60, "1m0s"), (360, "6m0s"), (86_399, "23h59m59s"), (86_400, "24h0m0s")]
)
def test_durations_are_written_as_openai_writes_them(seconds: int, text: str) -> None:
    assert allowances.duration(seconds) == text
