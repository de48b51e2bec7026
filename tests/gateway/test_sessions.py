"""Upstream sessions: none is forgotten, also after a crash; none is deleted that the gateway did not make."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import Account
from gateway import sessions, tasks
from gateway.models import Installation, Lane, UpstreamSession
from tests.conftest import body, until
from tests.school import MODEL, School

CHAT = "/v1/chat/completions"


def row_of(account: Account, **fields: object) -> UpstreamSession:
    """A row as a crash leaves it: its lease is over."""
    return UpstreamSession.objects.create(
        account=account, **{"lease_until": timezone.now() - timedelta(seconds=1), **fields}
    )


def clean_up(account: Account) -> None:
    """The task, with everything that waits due now."""
    UpstreamSession.objects.filter(delete_at__isnull=False).update(delete_at=timezone.now())
    tasks.clean_up(str(account.pk))


def make_at_school(school: School, name: str) -> int:
    school.add_sessions(1, name=name)
    return next(int(session["id"]) for session in school.sessions() if session["name"] == name)


def test_sessions_of_several_chats_are_deleted_in_one_call(
    client: httpx.Client, school: School, account: Account
) -> None:
    for _ in range(3):
        client.post(CHAT, json=body())
    school.settings(delete_grace_seconds=0)
    clean_up(account)
    assert school.sessions() == []
    assert school.calls().count("delSession") == 1
    assert not UpstreamSession.objects.exists()


def test_a_session_is_not_deleted_before_its_time(client: httpx.Client, school: School, account: Account) -> None:
    client.post(CHAT, json=body())
    row = UpstreamSession.objects.get()
    assert row.delete_at is not None
    assert row.delete_at - row.created_at >= sessions.DELETE_AFTER
    UpstreamSession.objects.update(delete_at=timezone.now() + timedelta(hours=1))
    tasks.clean_up(str(account.pk))
    assert "delSession" not in school.calls()


def test_a_session_of_a_running_chat_is_left_alone(client: httpx.Client, school: School, account: Account) -> None:
    with client.stream("POST", CHAT, json=body('[[sim text="a b" hold]]', stream=True)) as response:
        pieces = response.iter_bytes()
        next(pieces)
        assert sessions.accounts_with_work() == []
        clean_up(account)
        assert len(school.sessions()) == 1
        school.release()
        assert b"[DONE]" in b"".join(pieces)


def test_the_session_of_a_chat_that_crashed_is_deleted(school: School, account: Account) -> None:
    row_of(account, school_id=make_at_school(school, "whatever"))
    assert sessions.accounts_with_work() == [account.pk]
    clean_up(account)
    assert school.sessions() == []


def test_a_session_whose_id_was_lost_in_a_crash_is_found_by_its_mark(school: School, account: Account) -> None:
    row = row_of(account)
    make_at_school(school, sessions.mark(row.pk))
    clean_up(account)
    clean_up(account)
    assert school.sessions() == []
    assert not UpstreamSession.objects.exists()


def test_a_row_whose_session_was_never_made_goes(school: School, account: Account) -> None:
    row_of(account)
    clean_up(account)
    assert not UpstreamSession.objects.exists()


def test_a_creation_that_may_be_under_way_is_not_judged(school: School, account: Account) -> None:
    row_of(account, lease_until=timezone.now() + timedelta(minutes=1))
    clean_up(account)
    assert UpstreamSession.objects.count() == 1
    assert school.calls() == []


def test_an_answer_lost_after_the_session_was_made_leaves_it_to_the_sweep(
    client: httpx.Client, school: School, account: Account
) -> None:
    school.fault("disconnect_after_work", call="saveSession")
    client.post(CHAT, json=body())
    assert len(school.sessions()) == 1
    UpstreamSession.objects.update(lease_until=timezone.now())
    clean_up(account)
    clean_up(account)
    assert school.sessions() == []


def test_sessions_of_the_member_and_of_another_installation_are_never_touched(school: School, account: Account) -> None:
    Installation.objects.get_or_create(id=1)
    theirs = [
        make_at_school(school, "my own"),
        make_at_school(school, f"xg-deadbeef-{uuid4().hex}"),
        # A restored copy shares our mark but not our rows.
        make_at_school(school, sessions.mark(uuid4())),
    ]
    row_of(account)
    row_of(account, school_id=make_at_school(school, "ours"))
    clean_up(account)
    assert sorted(session["id"] for session in school.sessions()) == sorted(theirs)


def test_how_many_sessions_are_others_is_remembered_when_the_list_is_read(school: School, account: Account) -> None:
    school.add_sessions(3, name="by hand")
    make_at_school(school, sessions.mark(row_of(account).pk))
    clean_up(account)
    assert Lane.objects.get(account_id=account.pk).other_sessions == 3


def test_a_deletion_that_failed_comes_due_again(school: School, account: Account) -> None:
    row_of(account, school_id=make_at_school(school, "ours"))
    school.fault("outage", call="delSession", status=503)
    clean_up(account)
    assert UpstreamSession.objects.get().delete_tries == 1
    clean_up(account)
    assert school.sessions() == []


def test_a_session_that_is_gone_already_is_no_trouble(school: School, account: Account) -> None:
    row_of(account, school_id=987654)
    clean_up(account)
    assert not UpstreamSession.objects.exists()


def test_a_session_that_may_stand_behind_a_502_is_left_to_the_sweep(
    client: httpx.Client, school: School, account: Account
) -> None:
    school.fault("outage", call="saveSession", status=502)
    school.fault("disconnect", call="config")
    client.post(CHAT, json=body())
    assert UpstreamSession.objects.get().school_id is None


# Keep-alive.


@pytest.fixture
def idle(account: Account, offered: list[str]) -> Account:
    """The account's last call was an hour ago."""
    Lane.objects.create(account_id=account.pk, sent_at=1)
    return account


def rest_again() -> None:
    """An hour goes by after the call that was made just now."""
    soon = Lane.objects.filter(sent_at__gt=1, next_at__lt=F("sent_at") + 10_000)
    until(soon.exists, "the call's time, in the place of its hold")
    Lane.objects.update(sent_at=1)


def test_an_idle_account_is_kept_alive_by_one_session_that_is_updated(school: School, idle: Account) -> None:
    tasks.keep_alive(str(idle.pk))
    first = school.sessions()
    rest_again()
    tasks.keep_alive(str(idle.pk))
    assert [session["id"] for session in school.sessions()] == [session["id"] for session in first]
    assert school.calls() == ["saveSession", "saveSession"]


def test_the_keep_alive_session_is_not_cleaned_up(school: School, idle: Account) -> None:
    tasks.keep_alive(str(idle.pk))
    UpstreamSession.objects.update(lease_until=timezone.now())
    assert sessions.accounts_with_work() == []
    clean_up(idle)
    assert len(school.sessions()) == 1


def test_a_keep_alive_session_that_the_member_deleted_is_made_anew(school: School, idle: Account) -> None:
    tasks.keep_alive(str(idle.pk))
    UpstreamSession.objects.update(school_id=987654)
    rest_again()
    tasks.keep_alive(str(idle.pk))
    assert UpstreamSession.objects.get(keep_alive=True).school_id != 987654
    assert len(school.sessions()) == 2


def test_an_account_that_just_made_a_call_is_not_kept_alive(
    school: School, account: Account, offered: list[str]
) -> None:
    Lane.objects.create(account_id=account.pk, sent_at=int(timezone.now().timestamp() * 1000))
    tasks.keep_alive(str(account.pk))
    assert school.calls() == []


def test_the_keep_alive_session_gives_way_at_the_cap(client: httpx.Client, school: School, idle: Account) -> None:
    tasks.keep_alive(str(idle.pk))
    school.add_sessions(49)
    assert client.post(CHAT, json=body(model=MODEL)).status_code == 200
    assert Lane.objects.get(account_id=idle.pk).other_sessions == 49


def test_every_call_took_a_slot_of_its_account(client: httpx.Client, school: School, idle: Account) -> None:
    """Chat, keep-alive, catalogue, cleanup: the school saw no two of them too close together."""
    client.post(CHAT, json=body())
    rest_again()
    tasks.keep_alive(str(idle.pk))
    tasks.refresh_catalogue(str(idle.pk))
    school.settings(delete_grace_seconds=0)
    clean_up(idle)
    client.post(CHAT, json=body())
    assert school.user()["too_fast"] == 0
    assert set(school.calls()) == {"saveSession", "completions", "config", "delSession"}
    assert school.calls().count("saveSession") == 3
