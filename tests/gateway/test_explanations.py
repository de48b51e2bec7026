"""Every error has an explanation, and none invites a retry that would cost points unawares."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway import errors
from gateway.errors import GatewayError
from gateway.models import UsageRecord
from gateway.usage.explanations import BY_CODE, Retry, Who, cause_of, causes, explain
from tests.processes import ROOT

ROOMS = ("gateway", "accounts", "tokens")
NO_RECORDS = ROOT / "gateway" / "rest"
"""The management API writes no usage records: its codes are its own."""
CODE = re.compile(r'\bcode(?:: [\w| ]+)? ?= ?"([a-z][a-z0-9_]+)"')


def failed(code: str, **fields: Any) -> UsageRecord:
    return UsageRecord(status="failed", error_code=code, **fields)


def retry(record: UsageRecord) -> Retry:
    explanation = explain(record)
    assert explanation is not None
    return explanation.retry


def tree(error: type[GatewayError] = GatewayError) -> set[type[GatewayError]]:
    return {error}.union(*(tree(child) for child in error.__subclasses__()))


def codes() -> set[str]:
    """Those that stand in the source."""
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if NO_RECORDS not in path.parents]
    return {code for path in paths for code in CODE.findall(path.read_text())}


@pytest.mark.parametrize("error", sorted(tree(), key=str), ids=lambda error: error.__name__)
def test_each_error_of_the_tree_is_explained(error: type[GatewayError]) -> None:
    assert error.code in BY_CODE


def test_each_code_in_the_source_is_explained() -> None:
    assert codes() - set(BY_CODE) == set()


def test_the_search_for_codes_finds_them() -> None:
    assert {errors.QueueFull.code, "no_account", "internal_error", "login_failed", "images_not_supported"} <= codes()


def test_an_answered_or_running_request_needs_no_explanation() -> None:
    assert explain(UsageRecord(status="done")) is None
    assert explain(UsageRecord(status="open")) is None


def test_a_refusal_before_the_prompt_is_safe_to_repeat() -> None:
    assert retry(failed("school_unreachable")) is Retry.SAFE
    assert retry(failed("rate_limit_exceeded", session_ms=900)) is Retry.SAFE


def test_no_retry_is_called_safe_after_the_first_token() -> None:
    for code in BY_CODE:
        assert retry(failed(code, session_ms=900, first_token_ms=2000)) is not Retry.SAFE


def test_a_restart_after_the_session_may_have_cost_points() -> None:
    assert retry(failed("shutting_down")) is Retry.SAFE
    assert retry(failed("shutting_down", session_ms=900)) is Retry.COSTS


def test_a_request_that_its_client_left_is_nobodys_fault() -> None:
    explanation = explain(UsageRecord(status="cancelled", first_token_ms=800))
    assert explanation is not None
    assert (explanation.who, explanation.retry) == (Who.NOBODY, Retry.COSTS)


def test_an_unknown_code_is_explained_by_its_status() -> None:
    refused, broken = explain(failed("from_the_future", http_status=422)), explain(failed("", http_status=500))
    assert refused is not None
    assert broken is not None
    assert (refused.who, broken.who) == (Who.MEMBER, Who.ADMIN)


def test_pages_tell_the_cause_of_any_code() -> None:
    assert causes().keys() == {*BY_CODE, ""}
    assert cause_of("no_account") == causes()["no_account"]
    assert cause_of("from_the_future") == cause_of(None) == causes()[""]
