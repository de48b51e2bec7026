"""How SQLite reads usage: what grows with the number of records would show only when there are a million of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.keys import key_issue
from accounts.models import ApiKey, Member
from gateway.models import UsageRecord
from gateway.usage import rollups
from gateway.usage.log import models_used
from gateway.usage.statistics import Span, usage_over

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what the tables hold"),
]

ZONES = [ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]
LOG, ADMIN = "/dashboard/usage/", "/admin/gateway/usagerecord/"


@pytest.fixture
def key() -> ApiKey:
    """With a request now and then, the older ones summed."""
    key = key_issue(member=Member.objects.create_user("alice"))[0]
    for hours in range(0, 800, 53):
        UsageRecord.objects.create(
            request_id=f"req_{hours}",
            member=key.member,
            api_key=key,
            model="qwen",
            endpoint="chat/completions",
            status="failed" if hours % 5 else "done",
            error_code="school_busy" if hours % 5 else "",
            created_at=timezone.now() - timedelta(hours=hours, seconds=1),
        )
    while rollups.roll_up():
        pass
    return key


def plans(act: Callable[[], object]) -> Iterator[str]:
    """A line for each step by which SQLite carries out the act's queries of records."""
    with CaptureQueriesContext(connection) as captured:
        act()
    for query in captured:
        if query["sql"].startswith("SELECT") and UsageRecord._meta.db_table in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                yield from (f"{step[3]}: {query['sql']}" for step in cursor.fetchall())


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("span", Span)
@pytest.mark.parametrize("owner", ["everybody", "member", "key"])
def test_charts_read_no_more_records_than_those_of_their_time(
    key: ApiKey, owner: str, span: Span, zone: ZoneInfo
) -> None:
    owners: dict[str, dict[str, Any]] = {"everybody": {}, "member": {"member": key.member}, "key": {"api_key": key}}
    steps = list(plans(lambda: usage_over(span, zone=zone, **owners[owner])))
    assert steps
    assert [step for step in steps if step.startswith("SCAN")] == []


@pytest.mark.parametrize("whose", ["everybody", "member"])
def test_the_models_to_filter_by_are_not_looked_for_in_all_records(key: ApiKey, whose: str) -> None:
    steps = list(plans(lambda: models_used(key.member if whose == "member" else None)))
    assert steps
    assert [step for step in steps if step.startswith("SCAN")] == []


FILTERS = [
    {"status": "failed"},
    {"model": "qwen"},
    {"model": "qwen", "status": "failed"},
    {"key": "1"},
    {"key": "1", "status": "failed"},
    {"since": "2026-01-01T00:00"},
]


@pytest.mark.parametrize("query", [{}, *FILTERS], ids=urlencode)
def test_the_log_is_read_in_its_order(key: ApiKey, query: dict[str, str]) -> None:
    page = Client()
    page.force_login(key.member)
    asked = {**query, "key": str(key.pk)} if "key" in query else query
    steps = list(plans(lambda: page.get(LOG, asked)))
    assert any("SEARCH" in step for step in steps)
    assert [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step] == []


ADMIN_FILTERS = [
    {"status__exact": "failed"},
    {"model": "qwen"},
    {"error_code": "school_busy"},
    {"endpoint": "chat/completions"},
    {"member__id__exact": "member"},
    {"member__id__exact": "member", "status__exact": "failed"},
    {"api_key__id__exact": "key", "status__exact": "failed"},
    {"q": "alice"},
    {"q": "req_0"},
    {"o": "1"},
]


@pytest.mark.parametrize("query", [{}, *ADMIN_FILTERS], ids=urlencode)
def test_the_admins_list_is_read_in_its_order(key: ApiKey, admin_client: Client, query: dict[str, str]) -> None:
    ids = {"member": str(key.member_id), "key": str(key.pk)}
    asked = {name: ids.get(value, value) for name, value in query.items()}
    steps = list(plans(lambda: admin_client.get(ADMIN, asked)))
    assert steps
    assert [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step] == []
