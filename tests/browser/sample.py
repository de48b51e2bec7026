"""A group as there may be one: an admin, members whose accounts are in every state, keys, models, logins, usage."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from PIL import Image, ImageDraw

from accounts import audit
from accounts.invitations import invitation_make
from accounts.keys import key_issue, key_revoke, key_rotate
from accounts.models import Account, ApiKey, AuditEntry, LoginBlock, Member, SecondFactor
from accounts.services import account_pause, member_add
from gateway import catalogue
from gateway.management import sample_usage
from gateway.models import UpstreamSession, UsageRecord, UsageStatus
from gateway.school.catalog import Model
from tests.school import MODEL, PASSWORD, USERNAME, School
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.pictures import screenshot_keep
from tokens.services import token_import

ROWS = 4000
MODELS = (
    Model(id=MODEL, label="Qwen 3.6 27B", online=True, thinking=True),
    Model(id="deepseek-v4", label="DeepSeek V4", price="1", points=1.0, online=True, thinking=True),
    Model(id="gpt-5.6-luna", label="GPT-5.6 Luna", price="8", points=8.0, multimodal=True),
    Model(id="gemini-4-pro", label="Gemini 4 Pro", price="5", points=5.0, multimodal=True, online=True),
    Model(id="qwen2-vl", label="Qwen2 VL", multimodal=True, expired="2026-01-31"),
)
STEPS = (
    *(("starting Chrome", 0.1), ("opening the portal", 1.2), ("typing the password", 2.0)),
    *(("submitting the password", 2.4), ("opening the chat page", 4.1), ("waiting for the token", 4.6)),
)


@dataclass(frozen=True)
class Sample:
    """Whom and what the pages show. `alice` is well; the school asks `wei` for a captcha; `tom` has none of it."""

    admin: Member
    alice: Account
    wei: Account
    tom: Account
    key: ApiKey
    failed: UsageRecord
    login: LoginAttempt
    invitation: str
    first_admin: str
    entry: AuditEntry

    def member(self, name: str) -> Member:
        return self.admin if name == "admin" else Member.objects.get(username=name)


def make_sample(school: School, rows: int = ROWS) -> Sample:
    """Fill an empty database, and the simulated school with the users that it needs."""
    first_admin = invitation_make(member=None, created_by=None)[1]
    admin = Member.objects.create_superuser("chen.yu", email="chen.yu@example.org", password=PASSWORD)
    alice = logged_in(school, "alice", USERNAME)
    wei, tom = blocked_accounts()
    other_accounts(school)
    with_second_factor("mei")
    invitation = invitation_make(member=tom.member, created_by=admin)[1]
    key = make_keys(alice, admin)
    busy = [Member.objects.get(username=name) for name in ("alice", "sofia", "noah")]
    sample_usage.make(busy, rows=rows, days=30, seed=0, say=lambda line: None)
    failed = failed_request(alice, key)
    sessions_and_open_requests(alice, Account.objects.get(member__username="sofia"))
    asked = LoginAttempt.objects.get(account=wei)
    entry = AuditEntry.objects.all()[0]
    return Sample(admin, alice, wei, tom, key, failed, asked, invitation, first_admin, entry)


def logged_in(school: School, name: str, username: str) -> Account:
    """A member who could chat at once."""
    school.add_user(username)
    account = member_add(name=name, xjtlu_username=username, xjtlu_password=PASSWORD, email=f"{name}@example.org")
    token_import(account=account, pasted=school.token(username))
    catalogue.store(account.pk, MODELS)
    login(account, Outcome.CAPTURED, hours_ago=5)
    account.member.set_password(PASSWORD)
    account.member.save()
    return account


def blocked_accounts() -> tuple[Account, Account]:
    """Two that need a person: for a captcha, and for the right password."""
    wei = member_add(name="wei", xjtlu_username="Wei.Li25", xjtlu_password=PASSWORD)
    tom = member_add(name="tom", xjtlu_username="Tom.Reed23", xjtlu_password=PASSWORD)
    block(wei, LoginBlock.NEEDS_YOU, Outcome.NEEDS_YOU, "The sign-on asks for a captcha.")
    block(tom, LoginBlock.WRONG_PASSWORD, Outcome.WRONG_PASSWORD, "The sign-on refused the login.")
    return wei, tom


def block(account: Account, kind: LoginBlock, outcome: Outcome, message: str) -> None:
    account.login_block, account.login_block_reason = kind, message
    account.save()
    screenshot_keep(login(account, outcome, message=message, hours_ago=2), picture_of_a_page())


def other_accounts(school: School) -> None:
    """One of each further state."""
    logged_in(school, "sofia", "Sofia.Rossi24")
    running = member_add(name="lin", xjtlu_username="Lin.Zhao25", xjtlu_password=PASSWORD)
    LoginAttempt.objects.create(account=running, trigger=Trigger.ADDED)
    paused = member_add(name="eva", xjtlu_username="Eva.Novak22", xjtlu_password=PASSWORD)
    account_pause(account=paused)
    failing = member_add(name="noah", xjtlu_username="Noah.Kim24", xjtlu_password=PASSWORD)
    failing.early_failures = 2
    failing.save()
    login(failing, Outcome.FAILED, message="Chrome had not started when the time limit was reached.", hours_ago=1)


def picture_of_a_page() -> bytes:
    """What a failed login leaves: here of a form with its two fields."""
    page = Image.new("RGB", (1280, 900), "#f4f6fb")
    draw = ImageDraw.Draw(page)
    draw.rectangle((420, 200, 860, 640), fill="white", outline="#c8cfdb")
    for top in (300, 380):
        draw.rectangle((460, top, 820, top + 48), fill="#eef1f6", outline="#8a94a6")
    draw.rectangle((460, 480, 820, 528), fill="#2754d8")
    file = io.BytesIO()
    page.save(file, "png")
    return file.getvalue()


def with_second_factor(name: str) -> None:
    member = Member.objects.create_user(name, password=PASSWORD)
    SecondFactor.objects.create(user=member, name="app", confirmed=True)


def sessions_and_open_requests(busy: Account, quiet: Account) -> None:
    """`busy` has a request that is answered and one that waits; both have the session of the keep-alive."""
    soon = timezone.now() + timedelta(hours=1)
    for number, (account, keep_alive) in enumerate([(busy, True), (quiet, True), (busy, False)], start=1):
        UpstreamSession.objects.create(
            account=account, school_id=880_000 + number, keep_alive=keep_alive, lease_until=soon
        )
    for number in range(2):
        UsageRecord.objects.create(
            member=busy.member,
            account=busy,
            request_id=f"req_sample_open_{number}",
            endpoint="chat/completions",
            model=MODEL,
            status=UsageStatus.OPEN,
            lease_until=soon,
        )


def login(account: Account, outcome: Outcome, *, message: str = "", hours_ago: int) -> LoginAttempt:
    """A login that ended."""
    started = timezone.now() - timedelta(hours=hours_ago)
    steps: list[dict[str, Any]] = [{"at": at, "step": step, "detail": ""} for step, at in STEPS]
    return LoginAttempt.objects.create(
        account=account,
        trigger=Trigger.REFRESH,
        created_at=started - timedelta(seconds=1),
        started_at=started,
        ended_at=started + timedelta(seconds=6),
        password_submitted=True,
        outcome=outcome,
        message=message,
        steps=steps,
    )


def make_keys(account: Account, admin: Member) -> ApiKey:
    """A key with limits, one that is being rotated, one that is revoked; the first is returned."""
    key, _ = key_issue(
        member=account.member,
        name="Cherry Studio",
        requests_per_minute=20,
        requests_per_day=500,
        allowed_models=[MODEL],
    )
    rotated, _ = key_issue(member=account.member, name="notebook")
    key_rotate(key=rotated, grace=timedelta(hours=24))
    revoked, _ = key_issue(member=account.member, name="old laptop")
    key_revoke(key=revoked)
    for action, target in (("Added.", account), ("Issued an API key.", account), ("Revoked.", revoked)):
        audit.note(actor=admin, action=action, target=target, address="192.0.2.7")
    return key


def failed_request(account: Account, key: ApiKey) -> UsageRecord:
    """A request that failed a minute ago."""
    return UsageRecord.objects.create(
        member=account.member,
        account=account,
        api_key=key,
        request_id="req_sample_failed",
        created_at=timezone.now() - timedelta(minutes=1),
        endpoint="chat/completions",
        model=MODEL,
        stream=True,
        status=UsageStatus.FAILED,
        http_status=502,
        error_code="answer_cut",
        queued_ms=15,
        spacing_ms=1000,
        session_ms=1320,
        first_token_ms=2150,
        total_ms=9400,
        user_agent="CherryStudio/1.7.2",
    )
