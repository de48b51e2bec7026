"""The commands for scripts: what they print, and how they fail."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import audit, crypto
from accounts.keys import key_find
from accounts.models import Account, ApiKey, AuditEntry, Member
from gateway import departure
from gateway.models import UpstreamSession, UsageRecord
from tests.tokens.test_services import pasted
from tokens.models import LoginAttempt
from tokens.services import usable

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was handed to the broker."""
    names: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, **_: names.append(name))
    return names


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def run(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def add(name: str = "alice", *words: str) -> str:
    return run("add_member", name, "--xjtlu-username", f"{name}.Li20", *words)


def test_a_member_is_added_and_its_key_printed_as_json() -> None:
    told = json.loads(add("alice", "--issue-key", "--json"))
    key = key_find(told["api_key"])
    assert key is not None
    assert (told["member"], key.member.username) == ("alice", "alice")


def test_without_issue_key_there_is_none() -> None:
    assert json.loads(add("alice", "--json")) == {"member": "alice", "api_key": None}
    assert not ApiKey.objects.exists()


def test_a_password_comes_from_a_file_and_asks_for_a_login(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass word \n")
    out = add("alice", "--xjtlu-password-file", str(tmp_path / "password"))
    assert crypto.unseal(Account.objects.get(), "password") == "pass word "
    assert LoginAttempt.objects.get().trigger == "added"
    assert "pass word" not in out


def test_a_password_comes_from_standard_input(stdin: Callable[[str], None]) -> None:
    stdin("secret-1\n")
    add("alice", "--xjtlu-password-file", "-")
    assert crypto.unseal(Account.objects.get(), "password") == "secret-1"


def test_a_member_without_a_password_is_not_logged_in() -> None:
    add()
    assert not LoginAttempt.objects.exists()


def test_a_password_file_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(CommandError, match="Cannot read /nowhere"):
        add("alice", "--xjtlu-password-file", "/nowhere")
    assert not Member.objects.exists()


@pytest.mark.parametrize("words", [("alice", "--xjtlu-username", "x"), ("bob", "--xjtlu-username", "alice.Li20")])
def test_a_name_or_account_that_is_taken_is_a_clear_error(words: tuple[str, ...]) -> None:
    add()
    with pytest.raises(CommandError, match="already exists"):
        run("add_member", *words)
    assert Member.objects.count() == 1


def test_what_is_no_xjtlu_username_is_a_clear_error() -> None:
    with pytest.raises(CommandError, match=r"such as San\.Zhang24"):
        run("add_member", "alice", "--xjtlu-username", "San Zhang")
    assert not Member.objects.exists()


def test_a_key_is_issued() -> None:
    add()
    told = json.loads(run("issue_key", "alice", "--name", "phone", "--json"))
    assert ApiKey.objects.get().name == "phone"
    assert key_find(told["api_key"]) is not None


@pytest.mark.parametrize("words", [("issue_key", "nobody"), ("log_in", "nobody"), ("import_token", "nobody")])
def test_an_unknown_member_is_a_clear_error(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="nobody"):
        run(*words)


def test_a_token_is_imported_from_standard_input(stdin: Callable[[str], None]) -> None:
    run("add_member", "alice", "--xjtlu-username", "San.Zhang24")
    stdin(json.dumps(pasted()))
    assert "logged in" in run("import_token", "alice")
    assert usable(Account.objects.get().pk) is not None


@pytest.mark.parametrize("text", ["", "{", '{"jm_token": "secret-jwt"}'])
def test_a_bad_token_is_a_clear_error_that_does_not_show_it(stdin: Callable[[str], None], text: str) -> None:
    add()
    stdin(text)
    with pytest.raises(CommandError) as error:
        run("import_token", "alice")
    assert "secret-jwt" not in str(error.value)


CSV = "name,xjtlu_username,xjtlu_password,email\na,A.Li20,pw,a@example.org\nb,B.Li20,,\n"


def test_members_are_imported(tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text(CSV)
    lines = run("import_members", str(tmp_path / "members.csv"), "--issue-keys").splitlines()
    assert [line.split(",")[0] for line in lines] == ["a", "b"]
    assert key_find(lines[1].split(",")[1]) is not None
    assert LoginAttempt.objects.get().account.username == "A.Li20"


def test_one_bad_line_imports_nothing_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text(CSV + "c,A.Li20,pw,\n,D.Li20,,\n")
    with pytest.raises(CommandError) as error:
        run("import_members", str(tmp_path / "members.csv"))
    assert "line 4: " in str(error.value)
    assert "line 5: " in str(error.value)
    assert "pw" not in str(error.value)
    assert not Member.objects.exists()


def test_a_file_without_the_columns_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text("user,pass\nx,y\n")
    with pytest.raises(CommandError, match="xjtlu_username"):
        run("import_members", str(tmp_path / "members.csv"))


# A member leaves.


@pytest.fixture
def member() -> Member:
    add("alice", "--issue-key")
    return Member.objects.get()


def test_a_leaving_members_keys_stop_working_at_once(member: Member) -> None:
    run("remove_member", "alice")
    member.refresh_from_db()
    assert not ApiKey.objects.get().is_live
    assert (member.is_active, member.leaving_at is None) == (False, False)


def test_secrets_go_once_the_sessions_are_gone_and_usage_stays_nameless(member: Member) -> None:
    UsageRecord.objects.create(request_id="r", endpoint="x", member=member, account=member.account)
    departure.begin(member=member)
    departure.finish(member=member, cleaned=True)
    assert not Member.objects.exists()
    assert not Account.objects.exists()
    row = UsageRecord.objects.get()
    assert (row.member, row.account) == (None, None)


def test_a_member_whose_sessions_are_left_is_not_erased_yet(member: Member) -> None:
    departure.begin(member=member)
    member.refresh_from_db()
    departure.finish(member=member, cleaned=False)
    assert Member.objects.exists()


def test_a_school_that_never_answers_does_not_keep_the_secrets(member: Member) -> None:
    UpstreamSession.objects.create(account=member.account, lease_until=member.date_joined)
    departure.begin(member=member)
    Member.objects.update(leaving_at=member.date_joined - 2 * departure.PATIENCE)
    member.refresh_from_db()
    departure.finish(member=member, cleaned=False)
    assert not Member.objects.exists()


def test_the_last_admin_does_not_leave() -> None:
    Member.objects.create_superuser("boss")
    with pytest.raises(CommandError, match="Make somebody else an admin first"):
        run("remove_member", "boss")
    assert Member.objects.get().leaving_at is None


# Audit


def test_what_commands_do_is_in_the_audit(member: Member) -> None:
    run("issue_key", "alice", "--name", "Dify")
    run("invite", "alice")
    run("remove_member", "alice")
    entries = list(AuditEntry.objects.order_by("id").values_list("actor_name", "action", "target_kind"))
    assert entries == [
        ("manage.py add_member", "Added.", "account"),
        ("manage.py add_member", "Issued.", "apikey"),
        ("manage.py issue_key", "Issued.", "apikey"),
        ("manage.py invite", "Made an invitation link.", "member"),
        ("manage.py remove_member", "Removed.", "member"),
    ]


def test_a_command_that_fails_leaves_no_entry(member: Member) -> None:
    AuditEntry.objects.all().delete()
    with pytest.raises(CommandError):
        add("alice")
    with pytest.raises(CommandError):
        run("issue_key", "nobody")
    assert not AuditEntry.objects.exists()


def test_the_xjtlu_username_of_a_member_who_left_is_not_in_the_audit(member: Member) -> None:
    username = member.account.username
    renamed = [audit.Change("username", "Former.Name20", username)]
    audit.note(actor=None, action="Changed the XJTLU username.", target=member.account, changes=renamed)
    assert AuditEntry.objects.filter(target_name=username).exists()
    departure.finish(member=member, cleaned=True)
    assert not AuditEntry.objects.filter(target_name=username).exists()
    assert "Former.Name20" not in str(list(AuditEntry.objects.values_list()))
    assert AuditEntry.objects.filter(target_kind="account", target_name="alice").exists()
