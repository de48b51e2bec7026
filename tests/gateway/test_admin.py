"""The admin's pages of usage and of the sessions at the school."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.keys import key_issue
from accounts.models import Account, Member
from accounts.services import member_add
from gateway.admin.rows import BoundedPaginator
from gateway.formats import UNKNOWN, count, milliseconds
from gateway.models import Catalogue, Installation, Lane, TokenSource, UpstreamSession, UsageRecord, UsageStatus

pytestmark = pytest.mark.django_db
USAGE = "/admin/gateway/usagerecord/"
SESSIONS = "/admin/gateway/upstreamsession/"


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(Member.objects.create_superuser("boss"))
    return client


@pytest.fixture
def account() -> Account:
    return member_add(name="zhang", xjtlu_username="San.Zhang24")


def record(request_id: str = "req_1", **fields: Any) -> UsageRecord:
    fields = {"endpoint": "chat/completions", "model": "qwen-3-max", "status": UsageStatus.DONE, **fields}
    return UsageRecord.objects.create(request_id=request_id, **fields)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def shown(answer: Any) -> set[str]:
    return {str(row) for row in answer.context["cl"].result_list}


def column(answer: Any, name: str) -> str:
    cell = re.search(rf'<td class="field-{name}\b[^>]*>(.*?)</td>', text(answer), re.DOTALL)
    assert cell is not None
    return cell[1].strip()


def streamed(answer: Any) -> str:
    async def collected() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collected)().decode()


def test_each_row_of_a_list_has_its_box_and_the_names_of_its_columns(boss: Client) -> None:
    keys = [member_add(name=f"m{number}", xjtlu_username=f"M{number}").pk for number in range(3)]
    page = text(boss.get("/admin/accounts/account/"))
    for key in keys:
        assert f'name="_selected_action" value="{key}"' in page
    assert page.count('name="action-toggle"') == 1
    assert page.count('data-label="state"') == 3


class TestUsage:
    def test_the_list_shows_times_and_tokens(self, boss: Client, account: Account) -> None:
        counts: dict[str, Any] = {"prompt_tokens": 1204, "completion_tokens": 88, "token_source": TokenSource.SCHOOL}
        record(member=account.member, first_token_ms=850, total_ms=12_345, http_status=200, **counts)
        answer = boss.get(USAGE)
        assert (column(answer, "first_token"), column(answer, "total")) == ("850 ms", "12.3 s")
        assert column(answer, "tokens") == "1,204 / 88"
        assert ">done<" in column(answer, "state")
        assert ">200<" in column(answer, "state")

    def test_a_failure_shows_its_http_status_and_code(self, boss: Client) -> None:
        record(status=UsageStatus.FAILED, http_status=503, error_code="school_unreachable")
        state = column(boss.get(USAGE), "state")
        for part in (">failed<", ">503<", "school_unreachable"):
            assert part in state

    def test_estimates_are_marked(self, boss: Client) -> None:
        record(prompt_tokens=5, completion_tokens=7, token_source=TokenSource.ESTIMATE)
        assert column(boss.get(USAGE), "tokens") == "≈ 5 / ≈ 7"

    def test_what_is_unknown_is_a_dash_and_no_zero(self, boss: Client) -> None:
        record(status=UsageStatus.LOST)
        answer = boss.get(USAGE)
        assert column(answer, "tokens") == "– / –"
        assert (column(answer, "first_token"), column(answer, "total")) == ("–", "–")

    def test_the_page_of_a_record_shows_all_its_times(self, boss: Client) -> None:
        row = record(queued_ms=0, spacing_ms=11, login_ms=22_000, first_token_ms=333, total_ms=44_400)
        page = text(boss.get(f"{USAGE}{row.pk}/change/"))
        for time in ("0 ms", "11 ms", "22.0 s", "333 ms", "44.4 s"):
            assert time in page

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("model=gpt", {"b"}),
            ("status__exact=failed", {"b"}),
            ("error_code=queue_full", {"b"}),
            ("endpoint=responses", {"b"}),
            ("stream__exact=1", {"b"}),
            ("created_at__year=2025", {"b"}),
            ("created_at__year=2025&created_at__month=3&created_at__day=2", {"b"}),
            ("created_at__year=2025&created_at__month=4", set()),
            ("q=b", {"b"}),
            ("q=zha", {"a"}),
            ("q=b-but-not-wholly", set()),
        ],
    )
    def test_the_list_is_filtered_and_searched(
        self, boss: Client, account: Account, query: str, found: set[str]
    ) -> None:
        record("a", member=account.member)
        other: dict[str, Any] = {
            "status": "failed",
            "error_code": "queue_full",
            "endpoint": "responses",
            "stream": True,
        }
        record("b", model="gpt", created_at=datetime(2025, 3, 2, 4, tzinfo=UTC), **other)
        assert shown(boss.get(f"{USAGE}?{query}")) == found

    @pytest.mark.parametrize("order", ["o=2", "o=-3", "o=6.1", "o=4"])
    def test_the_order_is_that_of_time_alone(self, boss: Client, order: str) -> None:
        record("new", model="z", total_ms=1)
        record("old", model="a", total_ms=2, created_at=datetime(2025, 3, 2, 4, tzinfo=UTC))
        ids = re.findall(r"usagerecord/(\d+)/change", text(boss.get(f"{USAGE}?{order}")))
        newest_first = [str(each.pk) for each in UsageRecord.objects.order_by("-created_at")]
        assert list(dict.fromkeys(ids)) == newest_first

    def test_several_members_are_found_by_a_part_of_their_names(self, boss: Client, account: Account) -> None:
        other = member_add(name="zhao", xjtlu_username="Zhao.A24").member
        record("a", member=account.member)
        record("b", member=other)
        record("c", member=Member.objects.get(username="boss"))
        assert shown(boss.get(f"{USAGE}?q=zha")) == {"a", "b"}

    @pytest.mark.parametrize("query", ["model=%00", "created_at__year=99999", f"member__id__exact={2**70}"])
    def test_what_no_column_can_hold_is_a_wrong_address(self, boss: Client, query: str) -> None:
        assert boss.get(f"{USAGE}?{query}").status_code in (302, 400)

    def test_the_list_is_filtered_by_key(self, boss: Client, account: Account) -> None:
        key, _text = key_issue(member=account.member)
        record("a", api_key=key)
        record("b")
        assert shown(boss.get(f"{USAGE}?api_key__id__exact={key.pk}")) == {"a"}

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("from_0=2025-03-02", {"b"}),
            ("to_0=2025-03-01", {"a"}),
            ("from_0=2025-03-01&created_at_to_0=2025-03-02", {"a", "b"}),
            ("from_0=2025-03-01&created_at_from_1=23:31:00", {"b"}),
            ("from_0=nonsense", {"a", "b"}),
        ],
    )
    def test_the_list_is_filtered_by_time_in_the_readers_zone(self, boss: Client, query: str, found: set[str]) -> None:
        boss.cookies["time_zone"] = "Asia/Shanghai"
        record("a", created_at=datetime(2025, 3, 1, 15, 30, tzinfo=UTC))
        record("b", created_at=datetime(2025, 3, 1, 16, 30, tzinfo=UTC))
        assert shown(boss.get(f"{USAGE}?created_at_{query}", follow=True)) == found

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("form", "first"), [("csv", "time,request_id,"), ("jsonl", '{"time"')])
    def test_the_filtered_list_is_exported(self, boss: Client, form: str, first: str) -> None:
        record("a", status=UsageStatus.FAILED)
        record("b")
        answer = boss.get(f"{USAGE}export/{form}/?status__exact=failed")
        lines = streamed(answer).splitlines()
        assert answer.streaming
        assert lines[0].startswith(first)
        assert [line for line in lines if ",a," in line or '"a"' in line]
        assert not [line for line in lines if ",b," in line or '"b"' in line]

    def test_the_export_keeps_the_filters_of_the_list(self, boss: Client) -> None:
        assert f"{USAGE}export/csv/?stream__exact=0" in text(boss.get(f"{USAGE}?stream__exact=0"))

    def test_no_other_form_is_exported(self, boss: Client) -> None:
        assert boss.get(f"{USAGE}export/xlsx/").status_code == 404

    def test_the_export_needs_the_permission_to_view(self) -> None:
        client = Client()
        client.force_login(Member.objects.create_user("helper", is_staff=True))
        assert client.get(f"{USAGE}export/csv/").status_code == 403

    def test_the_page_of_a_failure_says_cause_who_must_act_and_whether_to_retry(self, boss: Client) -> None:
        row = record(status=UsageStatus.FAILED, error_code="account_paused", http_status=403)
        page = text(boss.get(f"{USAGE}{row.pk}/change/"))
        for part in ("XJTLU account is paused here", "Who must act: the gateway&#x27;s admin.", "A retry is useless"):
            assert part in page

    def test_the_page_of_a_record_shows_its_timeline(self, boss: Client) -> None:
        row = record(session_ms=100, first_token_ms=300, total_ms=1000)
        page = text(boss.get(f"{USAGE}{row.pk}/change/"))
        assert '<ol class="timeline">' in page
        assert "Answer complete" in page

    def test_the_list_is_filtered_by_member(self, boss: Client, account: Account) -> None:
        record("a", member=account.member)
        record("b")
        assert shown(boss.get(f"{USAGE}?member__id__exact={account.member_id}")) == {"a"}

    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("", ["2024", "2025"]),
            ("created_at__year=2025", ["January 2025", "February 2025", "March 2025"]),
            ("created_at__year=2025&created_at__month=3", ["March 1", "March 2"]),
            ("created_at__year=2025&created_at__month=3&created_at__day=2", ["March 2"]),
        ],
    )
    def test_dates_lead_from_years_to_days(self, boss: Client, query: str, titles: list[str]) -> None:
        record("a", created_at=datetime(2024, 11, 30, 4, tzinfo=UTC))
        record("b", created_at=datetime(2025, 3, 2, 4, tzinfo=UTC))
        choices = boss.get(f"{USAGE}?{query}").context["cl"].dates["choices"]
        assert [choice["title"] for choice in choices] == titles

    def test_the_links_of_the_dates_keep_the_other_filters(self, boss: Client) -> None:
        record("a", created_at=datetime(2025, 3, 2, 4, tzinfo=UTC))
        assert "?created_at__year=2025&amp;stream__exact=0" in text(boss.get(f"{USAGE}?stream__exact=0"))

    def test_no_query_counts_the_whole_table(self, boss: Client) -> None:
        record()
        with CaptureQueriesContext(connection) as queries:
            boss.get(USAGE)
        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "usagerecord" in query["sql"]]
        assert counts
        assert all("LIMIT 5000" in each for each in counts)

    def test_the_count_is_of_the_newest_rows(self, monkeypatch: pytest.MonkeyPatch, boss: Client) -> None:
        monkeypatch.setattr("gateway.admin.rows.REACH", 2)
        for number in range(3):
            record(str(number))
        assert BoundedPaginator(UsageRecord.objects.all(), 50).count == 2
        assert "The newest 2 records." in text(boss.get(USAGE))

    def test_the_list_takes_as_many_queries_for_ten_as_for_one(self, boss: Client, account: Account) -> None:
        record(member=account.member)
        boss.get(USAGE)
        with CaptureQueriesContext(connection) as one:
            boss.get(USAGE)
        for number in range(9):
            record(f"more_{number}", member=Member.objects.create_user(f"m{number}"))
        with CaptureQueriesContext(connection) as ten:
            boss.get(USAGE)
        assert len(ten) == len(one)

    def test_records_are_only_read(self, boss: Client) -> None:
        row = record()
        for page in (f"{USAGE}add/", f"{USAGE}{row.pk}/delete/", f"{USAGE}{row.pk}/change/"):
            assert boss.post(page, {"post": "yes"}).status_code == 403, page


class TestSessions:
    def test_the_list_shows_account_and_school_id(self, boss: Client, account: Account) -> None:
        UpstreamSession.objects.create(account=account, school_id=991823, lease_until=timezone.now())
        page = text(boss.get(SESSIONS))
        assert "San.Zhang24" in page
        assert "991823" in page

    def test_sessions_are_only_read(self, boss: Client, account: Account) -> None:
        row = UpstreamSession.objects.create(account=account, school_id=1, lease_until=timezone.now())
        for page in (f"{SESSIONS}add/", f"{SESSIONS}{row.pk}/delete/", f"{SESSIONS}{row.pk}/change/"):
            assert boss.post(page, {"post": "yes"}).status_code == 403, page


@pytest.mark.parametrize("model", [Catalogue, Lane, Installation])
def test_what_concerns_no_person_has_no_page(model: Any) -> None:
    assert not admin.site.is_registered(model)


def test_times_and_counts_in_words() -> None:
    assert [milliseconds(each) for each in (None, 0, 999, 1000)] == [UNKNOWN, "0 ms", "999 ms", "1.0 s"]
    assert [count(each, estimated=False) for each in (None, 0, 1500)] == [UNKNOWN, "0", "1,500"]
    assert count(3, estimated=True) == "≈ 3"
