"""The overview, the log and one request's page: what a member sees, and that it is the member's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from itertools import chain, count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.keys import CHECK_NAME, key_issue
from accounts.models import Account, ApiKey, LoginBlock, Member
from accounts.services import account_pause, member_add
from gateway.models import RolledUp, UsageRecord, UsageRollup
from gateway.standing import Act, standing_of
from gateway.usage import log as usage_log
from gateway.usage.statistics import Span, usage_over
from gateway.usage.timeline import SCALE, timeline
from tokens.models import LoginAttempt, Trigger, UpstreamToken

pytestmark = pytest.mark.django_db
OVERVIEW, LOG = "/dashboard/", "/dashboard/usage/"
HTMX = {"HX-Request": "true"}
numbers: Iterator[int] = count()


@pytest.fixture
def account() -> Account:
    return member_add(name="alice", xjtlu_username="Alice.Li24", xjtlu_password="secret")


@pytest.fixture
def member(account: Account) -> Member:
    return account.member


@pytest.fixture
def key(member: Member) -> ApiKey:
    return key_issue(member=member, name="laptop")[0]


@pytest.fixture
def page(member: Member) -> Client:
    client = Client()
    client.force_login(member)
    return client


def record(member: Member | None, *, seconds_ago: float = 1, **fields: Any) -> UsageRecord:
    fields = {"endpoint": "chat/completions", "model": "qwen", "status": "done", **fields}
    at = timezone.now() - timedelta(seconds=seconds_ago)
    return UsageRecord.objects.create(member=member, request_id=f"req_{next(numbers)}", created_at=at, **fields)


def token(account: Account, **fields: Any) -> None:
    fields = {"expires_at": timezone.now() + timedelta(hours=2), **fields}
    UpstreamToken.objects.create(account=account, secrets="x", api_url="https://school.example/api", **fields)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def listed(answer: Any) -> list[str]:
    return [each.request_id for each in answer.context["page"].records]


class TestStanding:
    def test_a_live_token_is_healthy_until_it_expires(self, account: Account) -> None:
        token(account)
        standing = standing_of(account.member)
        assert (standing.tone, standing.act) == ("good", Act.NONE)
        assert standing.until is not None

    def test_a_token_that_cannot_be_renewed_is_a_warning(self, account: Account) -> None:
        token(account)
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU)
        standing = standing_of(account.member)
        assert (standing.tone, standing.act) == ("warn", Act.OPEN_LIVE)

    def test_a_token_without_a_password_is_not_called_healthy(self) -> None:
        account = member_add(name="bob", xjtlu_username="Bob.Li24")
        token(account)
        standing = standing_of(account.member)
        assert (standing.tone, standing.act, standing.renews_at) == ("warn", Act.SET_PASSWORD, None)
        assert standing.until is not None

    def test_cookies_of_the_sign_on_stand_for_a_password(self) -> None:
        account = member_add(name="bob", xjtlu_username="Bob.Li24")
        Account.objects.update(sign_on_cookies="sealed")
        assert standing_of(account.member).act == Act.LOG_IN
        token(account)
        assert standing_of(account.member).tone == "good"

    def test_a_wrong_password_asks_for_a_new_one(self, account: Account) -> None:
        Account.objects.update(login_block=LoginBlock.WRONG_PASSWORD, login_block_reason="The sign-on said no.")
        standing = standing_of(account.member)
        assert (standing.tone, standing.act, standing.reason) == ("bad", Act.SET_PASSWORD, "The sign-on said no.")

    def test_a_login_that_asks_something_leads_to_the_live_view(self, account: Account) -> None:
        attempt = LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
        assert standing_of(account.member).act == Act.WATCH
        LoginAttempt.objects.filter(pk=attempt.pk).update(asked="captcha")
        assert standing_of(account.member).act == Act.OPEN_LIVE

    def test_logged_out_with_a_password_can_log_in_now(self, account: Account) -> None:
        assert standing_of(account.member).act == Act.LOG_IN

    def test_logged_out_without_a_password_must_set_one(self) -> None:
        account = member_add(name="bob", xjtlu_username="Bob.Li24")
        assert standing_of(account.member).act == Act.SET_PASSWORD

    def test_a_paused_account_and_none_are_the_admins_to_mend(self, account: Account) -> None:
        account_pause(account=account)
        assert standing_of(account.member).act == Act.NONE
        assert standing_of(Member.objects.create_user("nobody")).tone == "warn"


class TestOverview:
    def test_a_new_member_is_shown_the_first_steps(self, page: Client, member: Member) -> None:
        assert "three steps" in text(page.get(OVERVIEW))
        record(member)
        assert "three steps" not in text(page.get(OVERVIEW))

    @pytest.mark.parametrize("span", Span)
    def test_each_span_shows_the_members_own_usage(self, page: Client, member: Member, span: Span) -> None:
        record(member)
        record(None)
        answer = page.get(OVERVIEW, {"span": span.value})
        assert answer.context["usage"].span is span
        assert answer.context["usage"].total.requests == 1

    def test_estimates_are_marked_and_the_unknown_is_a_dash(self, page: Client, member: Member) -> None:
        record(member, prompt_tokens=1200, completion_tokens=34, token_source="estimate")
        assert "≈ 1,234" in text(page.get(OVERVIEW))
        UsageRecord.objects.update(prompt_tokens=None, completion_tokens=None)
        assert '<span class="stat-value">–</span>' in text(page.get(OVERVIEW))

    def test_an_unknown_span_is_a_day(self, page: Client) -> None:
        assert page.get(OVERVIEW, {"span": "century"}).context["span"] is Span.DAY

    def test_health_that_has_not_changed_is_not_sent_again(self, page: Client, member: Member) -> None:
        url = "/dashboard/health/"
        assert "logged out" in text(page.get(url))
        assert page.get(url, {"seen": standing_of(member).mark}).status_code == 204

    def test_what_the_member_can_begin_is_begun_by_its_button(self, page: Client, account: Account) -> None:
        assert 'action="/dashboard/account/log-in/"' in text(page.get(OVERVIEW))
        Account.objects.update(login_block=LoginBlock.NEEDS_YOU)
        assert 'action="/dashboard/account/live/"' in text(page.get(OVERVIEW))

    def test_what_draws_charts_is_loaded_where_there_is_one(self, page: Client, member: Member) -> None:
        # Its name goes on with a fingerprint where the pages' files have been collected.
        assert "unfold/js/chart/chart." not in text(page.get(OVERVIEW))
        record(member)
        assert "unfold/js/chart/chart." in text(page.get(OVERVIEW))

    def test_a_poll_after_the_sign_out_leads_the_page_to_the_sign_in(self) -> None:
        headers = {**HTMX, "HX-Current-URL": "http://testserver/dashboard/"}
        answer = Client().get("/dashboard/health/", headers=headers)
        assert answer["HX-Redirect"].startswith("/dashboard/sign-in/?next=")

    @pytest.mark.parametrize("url", [OVERVIEW, "/dashboard/health/", LOG, f"{LOG}req_1/", f"{LOG}export.csv"])
    def test_nobody_sees_a_page_without_signing_in(self, url: str) -> None:
        answer = Client().get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/dashboard/sign-in/")


class TestLog:
    def test_it_holds_the_members_own_records_alone(self, page: Client, member: Member) -> None:
        own = record(member)
        record(Member.objects.create_user("bob"))
        record(None)
        assert listed(page.get(LOG)) == [own.request_id]

    def test_each_filter_narrows(self, page: Client, member: Member, key: ApiKey) -> None:
        record(member, seconds_ago=3 * 86_400)
        wanted = record(member, api_key=key, model="luna", status="failed")
        day = timezone.localdate()
        filters: dict[str, str | int] = {
            "key": key.pk,
            "model": "luna",
            "status": "failed",
            "since": (day - timedelta(days=1)).isoformat(),
            "request_id": f" {wanted.request_id} ",
        }
        for name, value in filters.items():
            assert listed(page.get(LOG, {name: value})) == [wanted.request_id], name
        assert listed(page.get(LOG, filters)) == [wanted.request_id]
        assert wanted.request_id not in listed(page.get(LOG, {"until": (day - timedelta(days=2)).isoformat()}))

    def test_a_day_is_the_members_own(self, page: Client, member: Member) -> None:
        Member.objects.filter(pk=member.pk).update(time_zone="Pacific/Kiritimati")
        last = record(member)
        day = timezone.localdate(last.created_at, ZoneInfo("Pacific/Kiritimati")).isoformat()
        assert listed(page.get(LOG, {"since": day, "until": day})) == [last.request_id]

    @pytest.mark.parametrize(
        ("filters", "field"),
        [
            ({"key": "999999"}, "key"),
            ({"model": "unheard-of"}, "model"),
            *(({"since": day}, "since") for day in ("0001-01-01", "9999-12-31", "tomorrow")),
            ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
        ],
    )
    def test_a_filter_that_makes_no_sense_is_named_and_shows_nothing(
        self, page: Client, member: Member, filters: dict[str, str], field: str
    ) -> None:
        record(member)
        for headers in ({}, HTMX):
            answer = page.get(LOG, filters, headers=headers)
            assert f'id="id_{field}_error"' in text(answer)
            assert listed(answer) == []
        assert page.get(f"{LOG}export.csv", filters).status_code == 400

    def test_a_foreign_key_is_no_choice(self, page: Client, member: Member) -> None:
        foreign = key_issue(member=Member.objects.create_user("bob"))[0]
        record(member)
        answer = page.get(LOG, {"key": foreign.pk})
        assert answer.context["form"].errors["key"]
        assert listed(answer) == []

    def test_all_checks_of_connections_are_one_choice(self, page: Client, member: Member, key: ApiKey) -> None:
        for_ten_minutes = timezone.now() + timedelta(minutes=10)
        checks = [key_issue(member=member, name=CHECK_NAME, expires_at=for_ten_minutes)[0] for _each in range(2)]
        wanted = [record(member, api_key=check).request_id for check in checks]
        record(member, api_key=key)
        answer = page.get(LOG, {"key": "checks"}, headers={"accept-language": "zh-CN"})
        assert set(listed(answer)) == set(wanted)
        assert [name for name, _label in answer.context["form"].fields["key"].choices] == [
            *("", str(key.pk), "playground", "checks"),
        ]
        assert CHECK_NAME not in text(answer)

    def test_requests_of_the_playground_are_a_choice(self, page: Client, member: Member, key: ApiKey) -> None:
        record(member, api_key=key)
        wanted = record(member, endpoint="playground")
        assert listed(page.get(LOG, {"key": "playground"})) == [wanted.request_id]

    def test_a_list_of_models_is_told_as_one(self, page: Client, member: Member) -> None:
        record(member, endpoint="models", model="")
        assert '<span class="muted">List of models</span>' in text(page.get(LOG))
        assert "Lists of models, not counted as requests" in text(page.get(OVERVIEW))

    def test_htmx_gets_the_rows_alone_and_the_history_the_page(self, page: Client, member: Member) -> None:
        record(member)
        assert "<html" not in text(page.get(LOG, headers=HTMX))
        assert "<html" in text(page.get(LOG, headers={**HTMX, "HX-History-Restore-Request": "true"}))

    def test_nothing_found_is_told_from_nothing_yet(self, page: Client) -> None:
        assert "No requests yet" in text(page.get(LOG))
        assert "No request fits" in text(page.get(LOG, {"request_id": "req_none"}))

    def test_exports_keep_the_filters(self, page: Client, member: Member) -> None:
        record(member, status="failed")
        assert "/dashboard/usage/export.csv?status=failed" in text(page.get(LOG, {"status": "failed"}))

    def test_an_export_is_a_download_of_its_form(self, page: Client) -> None:
        answer = page.get(f"{LOG}export.jsonl")
        assert answer["Content-Type"].startswith("application/jsonl")
        assert "attachment" in answer["Content-Disposition"]


class TestPages:
    @pytest.fixture
    def ids(self, member: Member) -> list[str]:
        """The newest first; each two at the same moment."""
        at = timezone.now()
        UsageRecord.objects.bulk_create(
            UsageRecord(member=member, request_id=f"r{each}", created_at=at - timedelta(seconds=each // 2))
            for each in range(11)
        )
        return list(UsageRecord.objects.values_list("request_id", flat=True))

    def pages(self, cursor: str, direction: str) -> Iterator[list[str]]:
        while cursor:
            page = usage_log.page(UsageRecord.objects.all(), cursor=cursor, size=4)
            yield [each.request_id for each in page.records]
            cursor = getattr(page, direction)

    def test_older_pages_join_without_a_gap(self, ids: list[str]) -> None:
        assert list(chain.from_iterable(self.pages("first", "older"))) == ids

    def test_newer_leads_back_the_same_way(self, ids: list[str]) -> None:
        *_, last = self.cursors()
        assert list(self.pages(last, "newer")) == [ids[8:], ids[4:8], ids[:4]]

    def cursors(self) -> Iterator[str]:
        cursor = "first"
        while cursor:
            cursor = usage_log.page(UsageRecord.objects.all(), cursor=cursor, size=4).older
            if cursor:
                yield cursor

    def test_the_first_page_has_none_newer(self, ids: list[str]) -> None:
        first = usage_log.page(UsageRecord.objects.all(), size=4)
        assert (first.newer, bool(first.older)) == ("", True)

    @pytest.mark.parametrize("cursor", ["", "older-", "older-x-1", "sideways-1-1", f"older-{'9' * 30}-1", "older-1-²"])
    def test_what_is_no_cursor_shows_the_first_page(self, ids: list[str], cursor: str) -> None:
        assert usage_log.page(UsageRecord.objects.all(), cursor=cursor, size=4).records[0].request_id == ids[0]


class TestRecord:
    def test_an_error_is_explained(self, page: Client, member: Member) -> None:
        failed = record(member, status="failed", error_code="school_error", http_status=502)
        told = text(page.get(f"{LOG}{failed.request_id}/"))
        assert "The school reported an error of its own." in told
        assert "may cost points a second time" in told

    def test_somebody_elses_is_not_found(self, page: Client) -> None:
        foreign = record(Member.objects.create_user("bob"))
        assert page.get(f"{LOG}{foreign.request_id}/").status_code == 404
        assert page.get(f"{LOG}%00/").status_code == 404

    def test_a_running_request_has_a_page(self, page: Client, member: Member) -> None:
        assert "Still running" in text(page.get(f"{LOG}{record(member, status='open').request_id}/"))


class TestTimeline:
    def test_the_bars_share_one_scale(self) -> None:
        row = UsageRecord(status="done", queued_ms=0, spacing_ms=200, login_ms=None)
        row.session_ms, row.first_token_ms, row.total_ms = 500, 1000, 2000
        stages = {stage.name: stage for stage in timeline(row)}
        assert [stages[name].x for name in ("session", "first-token", "end")] == [0, 250, 500]
        assert stages["end"].x + stages["end"].width == SCALE
        assert (stages["interval"].took_ms, stages["interval"].width) == (200, 100)

    def test_what_did_not_happen_has_no_bar(self) -> None:
        stages = {stage.name: stage for stage in timeline(UsageRecord(status="failed", total_ms=40))}
        assert not stages["session"].is_drawn
        assert stages["session"].took_ms is None
        assert (stages["end"].tone, stages["end"].took_ms) == ("bad", 40)

    @pytest.mark.parametrize("status", ["open", "lost"])
    def test_a_request_of_which_nothing_is_known_has_a_timeline(self, status: str) -> None:
        assert [stage.name for stage in timeline(UsageRecord(status=status)) if stage.is_drawn] == []


class TestSamples:
    def run(self, *words: str) -> str:
        out = StringIO()
        call_command("make_sample_usage", *words, stdout=out)
        return out.getvalue()

    def test_they_are_made_marked_and_summed(self, member: Member, key: ApiKey) -> None:
        assert "200 of 200" in self.run("--rows", "200", "--days", "3", "--member", "alice", "--seed", "1")
        assert set(UsageRecord.objects.values_list("user_agent", "member")) == {("sample", member.pk)}
        assert UsageRollup.objects.exists()
        assert usage_over(Span.WEEK, zone=timezone.get_default_timezone(), member=member).total.requests == 200

    def test_removed_they_leave_what_was_there_before(self, member: Member) -> None:
        record(member, seconds_ago=2 * 86_400, user_agent="sample")
        self.run("--rows", "50", "--days", "3", "--seed", "1")
        self.run("--remove")
        assert UsageRecord.objects.count() == 1
        assert usage_over(Span.WEEK, zone=timezone.get_default_timezone()).total.requests == 1
        assert RolledUp.objects.exists()

    def test_nonsense_is_refused(self, member: Member) -> None:
        for words in (["--rows", "0"], ["--rows", "5", "--member", "nobody"], ["--rows", "5", "--days", "0"]):
            with pytest.raises(CommandError):
                self.run(*words)
