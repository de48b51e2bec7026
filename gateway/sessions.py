"""Upstream sessions: made for one chat, used, deleted; none is forgotten, none of another's is touched.

A row is written before the school is asked and its key stands in the session's name, so that a session whose id was
lost in a crash is found again by its name. Rows that know the school's id go by that id alone: a restored or second
installation shares no row keys with this one, and never deletes the other's sessions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from gateway import database, leases, spacer
from gateway.calls import Line
from gateway.errors import SchoolError, SchoolRefused, TooManySessions
from gateway.models import Installation, Lane, UpstreamSession
from gateway.school.client import Session

DELETE_AFTER = timedelta(seconds=2)
"""A `delSession` right after the stream's end can come too early; 2 s later is safe (protocol page)."""
UNKNOWN_LEASE = timedelta(seconds=20)
"""How long a creation that got no answer may still be under way at the school."""
RETRY_DELETE_AFTER = timedelta(seconds=15)
MAX_RETRY_FACTOR = 4
SWEEP_AGAIN_AFTER = timedelta(seconds=30)
MAX_IDS_IN_ONE_CALL = 50
MAX_WAIT_FOR_ROOM_SECONDS = 30.0
ROOM_POLL_SECONDS = 0.5
MAX_ROOM_TRIES = 3
CAP_IS_MEMBERS_OWN = (
    "Your XJTLU account has 50 sessions at the school, all made by yourself in the browser. "
    "Delete some of them there, then try again."
)
CAP_IS_IN_USE = "Your XJTLU account has 50 sessions at the school, and your running requests use the gateway's share."
KEEP_ALIVE_FIELDS = {"temperature": 1, "maxToken": 0, "presencePenalty": 0, "frequencyPenalty": 0, "contextCount": 0}


@asynccontextmanager
async def opened(line: Line, fields: dict[str, Any]) -> AsyncIterator[int]:
    """The school's id of a session made with `fields` (no name), handed to cleanup when the block is left."""
    row, name = await database.run(_begin, line.account_id)
    with leases.held(row):
        session = await _create(line, row, {"name": name, **fields})
        line.waits.session_at = time.monotonic()
        try:
            await database.run(_note, row, session.id)
            yield session.id
        finally:
            await database.run(_hand_to_cleanup, row.pk)


async def _create(line: Line, row: UpstreamSession, fields: dict[str, Any]) -> Session:
    try:
        for _ in range(MAX_ROOM_TRIES):
            try:
                return await line.call(lambda client: client.save_session(fields))
            except TooManySessions:
                await _make_room(line, keep=row.pk)
        raise TooManySessions(CAP_IS_IN_USE)
    except BaseException:
        # Also where the client left. In doubt, the sweep looks for the name once the creation is surely over.
        await database.run(_leave_to_sweep if line.in_doubt else _forget, row.pk)
        raise


async def _make_room(line: Line, *, keep: UUID) -> None:
    """At the school's cap: delete sessions of our own, the keep-alive last. Raises `TooManySessions`."""
    deadline = time.monotonic() + MAX_WAIT_FOR_ROOM_SECONDS
    await database.run(_note_full, line.account_id)
    while True:
        await sweep(line)
        if await delete_due(line, retry_now=True):
            return
        if not await database.run(_others_in_use, line.account_id, keep):
            if not await database.run(_retire_keep_alives, line.account_id):
                raise TooManySessions(CAP_IS_MEMBERS_OWN, permanent=True)
        elif time.monotonic() > deadline:
            raise TooManySessions(CAP_IS_IN_USE)
        else:
            await asyncio.sleep(ROOM_POLL_SECONDS)


async def delete_due(line: Line, *, retry_now: bool = False) -> int:
    """Delete the account's sessions whose time has come, in one call. Returns how many rows are settled.

    `retry_now`: also those whose deletion failed before and is to be tried later.
    """
    rows = await database.run(_claim_due, line.account_id, retry_now=retry_now)
    return await _delete(line, rows)


async def sweep(line: Line) -> int:
    """Compare rows whose state is unknown with the school's list. Returns how many rows are settled."""
    unknown = await database.run(_unknown, line.account_id)
    if not unknown:
        return 0
    listed = await _listed(line)
    by_name = {session.name: session.id for session in listed}
    ids = {session.id for session in listed}
    gone = []
    for row in unknown:
        found = by_name.get(await database.run(mark, row.pk)) if row.school_id is None else row.school_id
        if found is None or found not in ids:
            gone.append(row.pk)
        elif row.school_id is None:
            await database.run(_found_again, row.pk, found)
    await database.run(UpstreamSession.objects.filter(pk__in=gone).delete)
    return len(gone)


async def keep_alive(line: Line, model: str) -> None:
    """One harmless update of the account's one long-lived session; made the first time, or when it is gone."""
    row = await database.run(UpstreamSession.objects.filter(account_id=line.account_id, keep_alive=True).first)
    if row is not None and row.school_id is not None:
        update = {**row.fields, "id": row.school_id}
        try:
            await line.call(lambda client: client.save_session(update))
            return
        except SchoolRefused:
            raise
        except SchoolError:
            listed = await _listed(line)
            if row.school_id in {session.id for session in listed}:
                raise
    if row is not None:
        await database.run(_retire_keep_alives, line.account_id)
    made, name = await database.run(_begin, line.account_id, keep_alive=True)
    sent = {"name": name, **KEEP_ALIVE_FIELDS, "model": model}
    session = await _create(line, made, sent)
    await database.run(_note, made, session.id, fields={**sent, **session.fields})


async def delete_all(line: Line) -> bool:
    """For a member that leaves: delete every session of the account's rows. Returns whether none is left."""
    await database.run(_release_all, line.account_id)
    await sweep(line)
    await delete_due(line)
    return not await database.run(UpstreamSession.objects.filter(account_id=line.account_id).exists)


def accounts_with_work() -> list[UUID]:
    """Accounts with sessions to delete, or with rows whose owner is gone."""
    now = timezone.now()
    work = (
        Q(delete_at__lte=now)
        | Q(delete_at=None, keep_alive=False, lease_until__lt=now)
        | Q(school_id=None, lease_until__lt=now)
    )
    return list(UpstreamSession.objects.filter(work).values_list("account_id", flat=True).distinct())


def mark(row_key: UUID) -> str:
    """The session's name at the school: installation and row."""
    return f"{_our_mark()}{row_key.hex}"


def _our_mark() -> str:
    installation, _ = Installation.objects.get_or_create(id=1)
    return f"xg-{installation.mark.hex[:8]}-"


async def _listed(line: Line) -> list[Session]:
    """The sessions that the account has at the school; how many of them are others' is noted."""
    listed = await line.call(lambda client: client.list_sessions())
    await database.run(_note_listed, line.account_id, [session.name for session in listed])
    return listed


async def _delete(line: Line, rows: list[UpstreamSession]) -> int:
    if not rows:
        return 0
    ids = [row.school_id for row in rows if row.school_id is not None]
    await line.call(lambda client: client.delete_sessions(ids))
    await database.run(UpstreamSession.objects.filter(pk__in=[row.pk for row in rows]).delete)
    return len(rows)


# Rows. Whatever is claimed comes due again by itself, should the claimant die.


def _begin(account_id: UUID, *, keep_alive: bool = False) -> tuple[UpstreamSession, str]:
    """The row of a session that is about to be made, and the session's name."""
    row = UpstreamSession.objects.create(account_id=account_id, keep_alive=keep_alive, lease_until=leases.lease_end())
    return row, mark(row.pk)


def _note(row: UpstreamSession, school_id: int, *, fields: dict[str, Any] | None = None) -> None:
    """The session is there. Its row is written anew, should a sweep have given it up while the machine slept."""
    row.school_id, row.fields = school_id, fields or {}
    row.lease_until = leases.lease_end()
    row.save()


def _hand_to_cleanup(key: UUID) -> None:
    UpstreamSession.objects.filter(pk=key).update(delete_at=timezone.now() + DELETE_AFTER)


def _leave_to_sweep(key: UUID) -> None:
    UpstreamSession.objects.filter(pk=key).update(lease_until=timezone.now() + UNKNOWN_LEASE, keep_alive=False)


def _found_again(key: UUID, school_id: int) -> None:
    UpstreamSession.objects.filter(pk=key).update(school_id=school_id, delete_at=timezone.now(), keep_alive=False)


def _forget(key: UUID) -> None:
    UpstreamSession.objects.filter(pk=key).delete()


def _note_listed(account_id: UUID, names: list[str]) -> None:
    ours = _our_mark()
    _note_others(account_id, sum(not name.startswith(ours) for name in names))


def _note_full(account_id: UUID) -> None:
    """The school refuses one more session: what is not ours is the rest."""
    ours = UpstreamSession.objects.filter(account_id=account_id, school_id__isnull=False).count()
    _note_others(account_id, max(0, UpstreamSession.CAP - ours))


def _note_others(account_id: UUID, number: int) -> None:
    Lane.objects.filter(account_id=account_id).update(other_sessions=number, others_seen_at=spacer.now_ms())


def _others_in_use(account_id: UUID, key: UUID) -> bool:
    own = UpstreamSession.objects.filter(account_id=account_id, keep_alive=False, school_id__isnull=False)
    return own.exclude(pk=key).exists()


def _retire_keep_alives(account_id: UUID) -> int:
    now = timezone.now()
    return UpstreamSession.objects.filter(account_id=account_id, keep_alive=True).update(
        keep_alive=False, lease_until=now, delete_at=now
    )


def _release_all(account_id: UUID) -> None:
    now = timezone.now()
    UpstreamSession.objects.filter(account_id=account_id).filter(Q(keep_alive=True) | Q(lease_until__lt=now)).update(
        keep_alive=False, lease_until=now, delete_at=now
    )


def _unknown(account_id: UUID) -> list[UpstreamSession]:
    """Rows without an id whose creation is over, and rows whose deletion failed before."""
    over = Q(school_id=None, lease_until__lt=timezone.now()) | Q(delete_tries__gt=1, delete_at__lte=timezone.now())
    rows = list(UpstreamSession.objects.filter(over, account_id=account_id))
    # Should the school not answer, they are looked for again a little later, not at once.
    again = timezone.now() + SWEEP_AGAIN_AFTER
    UpstreamSession.objects.filter(pk__in=[row.pk for row in rows], school_id=None).update(lease_until=again)
    return rows


def _claim_due(account_id: UUID, *, retry_now: bool) -> list[UpstreamSession]:
    now = timezone.now()
    abandoned = UpstreamSession.objects.filter(
        account_id=account_id, delete_at=None, keep_alive=False, lease_until__lt=now, school_id__isnull=False
    )
    abandoned.update(delete_at=now)
    due = Q(delete_at__lte=now) | Q(delete_tries__gt=0) if retry_now else Q(delete_at__lte=now)
    return _claim(UpstreamSession.objects.filter(due, account_id=account_id, delete_at__isnull=False))


def _claim(rows: Any) -> list[UpstreamSession]:
    claimed = []
    for row in rows.filter(school_id__isnull=False)[:MAX_IDS_IN_ONE_CALL]:
        again = timezone.now() + RETRY_DELETE_AFTER * min(row.delete_tries + 1, MAX_RETRY_FACTOR)
        if UpstreamSession.objects.filter(pk=row.pk, delete_at=row.delete_at).update(
            delete_at=again, delete_tries=F("delete_tries") + 1
        ):
            claimed.append(row)
    return claimed
