"""The spacer: no call to the school without a slot of its account, whichever process makes it.

The school limits the frequency of all calls of one user together (protocol page: about 1 s is safe). An account's
slot is one row. A call claims it by one conditional UPDATE when `next_at` has come, which moves `next_at` ahead by
`HOLD_MS`, more than any connection takes to open; when the request has really left, `next_at` becomes that moment
plus the interval. Nothing is reserved ahead: a client that leaves gives its place away, a grown interval holds at once.

Within a process the calls of an account wait in order of asking. A background call (cleanup, keep-alive, catalogue)
stands behind every member's, also behind one that waits in another process (`wanted_until`), but not for ever.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Q, When
from django.db.models.functions import Greatest

from gateway import database
from gateway.errors import QueueFull
from gateway.models import Lane

MAX_WAITING = 32
MAX_WAIT_SECONDS = 120.0
BACKGROUND_PATIENCE_SECONDS = 60.0
# More than the transport takes to connect.
HOLD_MS = 25_000
MAX_EXTRA_MS = 10_000
FIRST_EXTRA_MS = 500
# A `next_at` further ahead than any hold or interval comes from a clock that was set back: such a slot is due.
FAR_AHEAD_MS = 10 * 60_000
POLL_SECONDS = 0.05
WANTED_MS = 2_000
QUIET_MS = 60_000
# A lease, renewed while a worker is at it.
WORK_MS = 20_000


def interval_ms() -> int:
    """The least time between two calls of one account."""
    return round(settings.XIPU_CALL_INTERVAL_SECONDS * 1000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# Rows: each of these is one statement.


def claim(account_id: UUID, *, background: bool = False) -> int | None:
    """Take the slot if it is due: the claim's mark (its `next_at`), or None."""
    now = now_ms()
    due = Q(next_at__lte=now) | Q(next_at__gt=now + FAR_AHEAD_MS)
    if background:
        due &= Q(wanted_until__lte=now)
    mark = now + HOLD_MS
    if Lane.objects.filter(due, account_id=account_id).update(next_at=mark):
        return mark
    if Lane.objects.filter(account_id=account_id).exists():
        return None
    Lane.objects.bulk_create([Lane(account_id=account_id)], ignore_conflicts=True)
    return claim(account_id, background=background)


def record_sent(account_id: UUID, mark: int, sent_at: int) -> None:
    """The claimed call has left: the next one is due an interval later.

    A good call shrinks what the interval has grown by 10 %; after a quiet minute it is forgotten.
    """
    quiet = When(sent_at__gt=0, sent_at__lt=sent_at - QUIET_MS, then=0)
    shrunk = Case(quiet, default=F("extra_ms") * 90 / 100)
    after = sent_at + interval_ms() + F("extra_ms")
    lane = Lane.objects.filter(account_id=account_id)
    if not lane.filter(next_at=mark).update(next_at=after, extra_ms=shrunk, sent_at=sent_at):
        lane.update(next_at=Greatest(F("next_at"), after), sent_at=Greatest(F("sent_at"), sent_at))


def release(account_id: UUID, mark: int) -> None:
    """The claimed call was never sent: the slot is free again."""
    Lane.objects.filter(account_id=account_id, next_at=mark).update(next_at=now_ms())


def slow_down(account_id: UUID) -> None:
    """The school said "too fast": the interval of this account grows, twice as much each time."""
    row = Lane.objects.filter(account_id=account_id)
    row.update(extra_ms=Greatest(FIRST_EXTRA_MS, F("extra_ms") * 2))
    row.filter(extra_ms__gt=MAX_EXTRA_MS).update(extra_ms=MAX_EXTRA_MS)
    row.update(next_at=Greatest(F("next_at"), now_ms() + interval_ms() + F("extra_ms")))


def due_in(account_id: UUID) -> tuple[float, float]:
    """Seconds until the account's next slot, and its present interval in seconds."""
    row = Lane.objects.filter(account_id=account_id).values_list("next_at", "extra_ms").first()
    next_at, extra = row or (0, 0)
    ahead = next_at - now_ms()
    return (0.0 if ahead > FAR_AHEAD_MS else max(0, ahead) / 1000), (interval_ms() + extra) / 1000


def want(account_id: UUID) -> None:
    """A member waits: until shortly after, calls in the background let it go first."""
    Lane.objects.filter(account_id=account_id).update(wanted_until=Greatest(F("next_at"), now_ms()) + WANTED_MS)


def last_sent_before(at_ms: int) -> list[UUID]:
    """Accounts whose last call is older."""
    return list(Lane.objects.filter(sent_at__gt=0, sent_at__lt=at_ms).values_list("account_id", flat=True))


def begin_work(account_id: UUID) -> bool:
    """Whether an account's background work may begin: one at a time, else it would pile up behind a busy member."""
    Lane.objects.bulk_create([Lane(account_id=account_id)], ignore_conflicts=True)
    free = Lane.objects.filter(account_id=account_id, working_until__lte=now_ms())
    return bool(free.update(working_until=now_ms() + WORK_MS))


def renew_work(account_id: UUID) -> None:
    Lane.objects.filter(account_id=account_id).update(working_until=now_ms() + WORK_MS)


def end_work(account_id: UUID) -> None:
    Lane.objects.filter(account_id=account_id).update(working_until=0)


def is_idle(account_id: UUID, seconds: float) -> bool:
    """Whether the account's last call is longer ago."""
    return Lane.objects.filter(account_id=account_id, sent_at__lt=now_ms() - round(seconds * 1000)).exists()


# Waiting, within one event loop.


@dataclass(order=True)
class Ticket:
    """One call's place. `queued` and `spaced` are the seconds that it waited for others, and for the interval."""

    background: bool
    order: float
    number: int
    wake: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    queued: float = field(default=0.0, compare=False)
    spaced: float = field(default=0.0, compare=False)


class Slot:
    """A claimed slot. `sent()` is called at the moment the request has left."""

    def __init__(self, lane: Queue, mark: int, ticket: Ticket) -> None:
        self._lane = lane
        self._mark = mark
        self.ticket = ticket
        self.sent_at: int | None = None

    def sent(self) -> None:
        if self.sent_at is None:
            self.sent_at = now_ms()
            self._lane.settle(database.run(record_sent, self._lane.account_id, self._mark, self.sent_at))

    async def close(self) -> None:
        if self.sent_at is None:
            await asyncio.shield(self._lane.settle(database.run(release, self._lane.account_id, self._mark)))


class Queue:
    """The calls of one account that wait in this process. Only the first one claims, when the slot is due."""

    def __init__(self, account_id: UUID) -> None:
        self.account_id = account_id
        self._tickets: list[Ticket] = []
        self._numbers = itertools.count()
        self._writing: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return not self._tickets and self._writing is None

    async def take(self, *, order: float, background: bool) -> Slot:
        """Wait for the slot. `order` is the time at which the member's request came. Raises `QueueFull`."""
        ticket = Ticket(background, order, next(self._numbers))
        heapq.heappush(self._tickets, ticket)
        try:
            if not background:
                await self._refuse_if_full(ticket)
            async with asyncio.timeout(None if background else MAX_WAIT_SECONDS):
                return await self._wait(ticket)
        except TimeoutError:
            raise QueueFull(
                f"Your account's calls to the school waited over {MAX_WAIT_SECONDS:.0f} s. Send fewer requests at once."
            ) from None
        finally:
            self._tickets.remove(ticket)
            heapq.heapify(self._tickets)
            self._wake_first()

    def settle(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Finish a write about the last claim before the next claim is tried."""
        self._writing = task = asyncio.create_task(writing)
        task.add_done_callback(self._settled)
        return task

    def _settled(self, task: asyncio.Task[None]) -> None:
        if self._writing is task:
            self._writing = None
        self._wake_first()

    async def _refuse_if_full(self, ticket: Ticket) -> None:
        ahead = sum(1 for other in self._tickets if other < ticket)
        if not ahead:
            return
        wait, interval = await database.run(due_in, self.account_id)
        expected = wait + ahead * interval
        if ahead >= MAX_WAITING or expected > MAX_WAIT_SECONDS:
            raise QueueFull(
                f"{ahead} calls of your account wait already for the school, which allows about one a second. "
                "Send fewer requests at once.",
                retry_after=expected,
            )

    async def _wait(self, ticket: Ticket) -> Slot:
        asked = time.monotonic()
        while True:
            if self._tickets[0] is not ticket:
                await self._turn(ticket, None)
                ticket.queued = time.monotonic() - asked
                continue
            if self._writing is not None:
                await asyncio.wait([self._writing])
                continue
            patient = ticket.background and time.monotonic() - asked < BACKGROUND_PATIENCE_SECONDS
            mark = await self._claim(background=patient)
            if mark is not None:
                ticket.spaced = time.monotonic() - asked - ticket.queued
                return Slot(self, mark, ticket)
            await self._sleep_until_due(ticket)

    async def _sleep_until_due(self, ticket: Ticket) -> None:
        if not ticket.background:
            await database.run(want, self.account_id)
        wait, interval = await database.run(due_in, self.account_id)
        # Beyond an interval, another process holds the slot and may free it earlier than its hold says.
        await self._turn(ticket, wait + 0.001 if 0 < wait <= interval else POLL_SECONDS)

    async def _claim(self, *, background: bool) -> int | None:
        claiming = asyncio.ensure_future(database.run(claim, self.account_id, background=background))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            claiming.add_done_callback(self._give_back)
            raise

    def _give_back(self, claiming: asyncio.Future[int | None]) -> None:
        if not claiming.cancelled() and claiming.exception() is None and (mark := claiming.result()) is not None:
            self.settle(database.run(release, self.account_id, mark))

    @staticmethod
    async def _turn(ticket: Ticket, seconds: float | None) -> None:
        """Sleep until woken because the order changed, or for so many seconds."""
        ticket.wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await ticket.wake.wait()
        except TimeoutError:
            return

    def _wake_first(self) -> None:
        if self._tickets:
            self._tickets[0].wake.set()


class Spacer:
    """The queues of one event loop."""

    def __init__(self) -> None:
        self._queues: dict[UUID, Queue] = {}

    @asynccontextmanager
    async def slot(self, account_id: UUID, *, order: float, background: bool = False) -> AsyncIterator[Slot]:
        """A slot of the account, free again if it is left without `sent()`. Raises `QueueFull`."""
        queue = self._queues.setdefault(account_id, Queue(account_id))
        try:
            slot = await queue.take(order=order, background=background)
            try:
                yield slot
            finally:
                await slot.close()
        finally:
            if queue.is_idle:
                self._queues.pop(account_id, None)


# The page's own calls, from the thread that drives Chrome.


class Hold:
    """The account's lane while Chrome is on the chat page."""

    def __init__(self, account_id: UUID) -> None:
        self._account_id = account_id
        self._last_call = 0

    def seen(self, unix_time: float) -> None:
        """The page made a call."""
        self._last_call = max(self._last_call, round(unix_time * 1000))

    def renew(self) -> None:
        Lane.objects.filter(account_id=self._account_id).update(next_at=now_ms() + HOLD_MS)

    def end(self) -> None:
        """The next slot is one interval after the page's last call."""
        free_at = self._last_call + interval_ms() + F("extra_ms") if self._last_call else now_ms()
        Lane.objects.filter(account_id=self._account_id).update(
            next_at=free_at, sent_at=self._last_call or F("sent_at")
        )


@contextmanager
def held(account_id: UUID) -> Iterator[Hold]:
    """Wait for the account's lane and keep every other call out of it. Blocks the calling thread."""
    started = time.monotonic()
    while claim(account_id, background=time.monotonic() - started < BACKGROUND_PATIENCE_SECONDS) is None:
        time.sleep(POLL_SECONDS)
    hold = Hold(account_id)
    try:
        with database.repeating(hold.renew, every_seconds=HOLD_MS / 3000):
            yield hold
    finally:
        hold.end()
