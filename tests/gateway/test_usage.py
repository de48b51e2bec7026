"""One usage record for each request, with numbers and never with texts."""

from __future__ import annotations

from datetime import timedelta

import httpx
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts.models import Account, ApiKey
from gateway import tasks
from gateway.models import Lane, UsageRecord
from gateway.usage import recording as usage
from tests.conftest import body, closed_record, until
from tests.school import MODEL, School

CHAT = "/v1/chat/completions"


def test_a_chat_is_recorded_with_its_times_and_counts(client: httpx.Client, account: Account) -> None:
    # A long interval, which the time that the first call takes cannot use up.
    Lane.objects.create(account_id=account.pk, extra_ms=2_000)
    response = client.post(CHAT, json=body(), headers={"user-agent": "pytest", "x-stainless-retry-count": "1"})
    row = closed_record()
    assert (row.status, row.http_status, row.model, row.endpoint) == ("done", 200, MODEL, "chat/completions")
    assert (row.member, row.account, row.api_key) == (account.member, account, ApiKey.objects.get())
    assert (row.user_agent, row.retry_count, row.stream) == ("pytest", 1, False)
    assert row.request_id == response.headers["x-request-id"]
    assert row.spacing_ms is not None
    assert row.first_token_ms is not None
    assert row.total_ms is not None
    assert row.total_ms >= row.first_token_ms >= row.spacing_ms >= 150


def test_the_moment_of_the_upstream_session_is_measured(client: httpx.Client) -> None:
    client.post(CHAT, json=body())
    row = closed_record()
    assert row.session_ms is not None
    assert row.first_token_ms is not None
    assert 0 < row.session_ms < row.first_token_ms


def test_without_an_upstream_session_its_moment_is_unknown(client: httpx.Client) -> None:
    client.post(CHAT, json=body(model="none"))
    row = closed_record()
    assert (row.status, row.session_ms) == ("failed", None)


def test_the_schools_counts_are_taken_where_it_gives_them(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=body('[[sim text="a b c"]]')).json()
    row = closed_record()
    assert row.token_source == "school"
    assert row.completion_tokens == answer["usage"]["completion_tokens"]


def test_otherwise_they_are_estimated_and_marked(client: httpx.Client) -> None:
    client.post(CHAT, json=body('[[sim text="a b c" no_summary]]'))
    assert closed_record().token_source == "estimate"


def test_an_estimate_knows_chinese_from_latin_letters() -> None:
    assert usage.estimate_tokens("") == 0
    assert usage.estimate_tokens("abcdefgh") == 2
    assert usage.estimate_tokens("你好你好你好") == 4


def test_a_failed_request_is_recorded_with_its_error(client: httpx.Client) -> None:
    client.post(CHAT, json=body(model="none"))
    row = closed_record()
    assert (row.status, row.http_status, row.error_code) == ("failed", 404, "model_not_found")
    assert row.prompt_tokens is None


def test_bad_input_is_recorded(client: httpx.Client) -> None:
    client.post(CHAT, content=b"{")
    assert closed_record().error_code == "invalid_json"


def test_a_list_of_models_is_recorded(client: httpx.Client) -> None:
    client.get("/v1/models")
    assert closed_record().endpoint == "models"


def test_neither_prompt_nor_answer_is_in_a_record_or_a_log(client: httpx.Client, logs: object, school: School) -> None:
    client.post(CHAT, json=body('[[sim text="the untold answer"]] the untold prompt'))
    client.post(CHAT, json=body('[[sim text="the untold answer" cut_after=1]] the untold prompt'))
    until(lambda: not UsageRecord.objects.filter(status="open").exists(), "the records' end")
    assert "untold" not in str([model_to_dict(row) for row in UsageRecord.objects.all()])
    assert "untold" not in (logs / "gateway.log").read_text()  # type: ignore[operator]


def test_a_record_whose_process_died_is_closed(client: httpx.Client) -> None:
    client.get("/v1/models")
    assert closed_record().status == "done"
    UsageRecord.objects.update(status="open", lease_until=timezone.now() - timedelta(seconds=1))
    tasks.close_lost_usage()
    assert UsageRecord.objects.get().status == "lost"
