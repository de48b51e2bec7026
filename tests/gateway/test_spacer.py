"""Slots: never two of an account within the interval, from any process; in order; none wasted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from gateway import database, spacer
from gateway.errors import QueueFull
from gateway.models import Lane
from gateway.school import transport
from gateway.spacer import Spacer
from tests.conftest import database_url, until
from tests.processes import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account_id() -> UUID:
    return uuid4()


@pytest.fixture(autouse=True)
def interval(settings: Settings) -> float:
    settings.XIPU_CALL_INTERVAL_SECONDS = 0.1
    return 0.1


async def call(slots: Spacer, account_id: UUID, *, order: float = 0.0, background: bool = False) -> int:
    """One call: the milliseconds at which it was sent."""
    async with slots.slot(account_id, order=order, background=background) as slot:
        slot.sent()
        assert slot.sent_at is not None
        return slot.sent_at


async def waiting(slots: Spacer, account_id: UUID, number: int) -> None:
    """Until so many calls stand in the queue."""
    while len(slots._queues[account_id]._tickets) < number:
        await asyncio.sleep(0.001)


async def test_calls_of_an_account_are_spaced(account_id: UUID) -> None:
    slots = Spacer()
    sent = await asyncio.gather(*(call(slots, account_id, order=number) for number in range(4)))
    assert all(later - earlier >= 100 for earlier, later in zip(sent, sent[1:], strict=False))


async def test_accounts_do_not_wait_for_each_other(account_id: UUID) -> None:
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        await call(slots, uuid4())


async def test_the_request_that_asked_first_goes_first(account_id: UUID) -> None:
    slots, done = Spacer(), []

    async def ask(order: float) -> None:
        await call(slots, account_id, order=order)
        done.append(order)

    async with slots.slot(account_id, order=0):
        late = [asyncio.create_task(ask(3)), asyncio.create_task(ask(1)), asyncio.create_task(ask(2))]
        await waiting(slots, account_id, 3)
    await asyncio.gather(*late)
    assert done == [1, 2, 3]


async def test_background_calls_stand_behind_members(account_id: UUID) -> None:
    slots, done = Spacer(), []

    async def ask(name: str, *, background: bool) -> None:
        await call(slots, account_id, background=background)
        done.append(name)

    async with slots.slot(account_id, order=0):
        cleanup = asyncio.create_task(ask("cleanup", background=True))
        await waiting(slots, account_id, 1)
        member = asyncio.create_task(ask("member", background=False))
        await waiting(slots, account_id, 2)
    await asyncio.gather(cleanup, member)
    assert done == ["member", "cleanup"]


async def test_a_background_call_lets_a_member_of_another_process_go_first(
    account_id: UUID, settings: Settings
) -> None:
    # Long enough for the member to come to the taken slot.
    settings.XIPU_CALL_INTERVAL_SECONDS = 1.0
    here, there, done = Spacer(), Spacer(), []

    async def ask(slots: Spacer, name: str, *, background: bool) -> None:
        await call(slots, account_id, background=background)
        done.append(name)

    await call(here, account_id)
    member = asyncio.create_task(ask(there, "member", background=False))
    while not (member.done() or await database.run(Lane.objects.filter(wanted_until__gt=0).exists)):
        await asyncio.sleep(0.001)
    await asyncio.gather(member, ask(here, "cleanup", background=True))
    assert done == ["member", "cleanup"]


async def test_a_call_that_was_not_sent_gives_its_slot_back(account_id: UUID) -> None:
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        pass
    assert await database.run(spacer.due_in, account_id) == (0.0, 0.1)


async def test_clients_that_leave_while_waiting_waste_no_slot(account_id: UUID) -> None:
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        leavers = [asyncio.create_task(call(slots, account_id, order=number)) for number in range(5)]
        stayer = asyncio.create_task(call(slots, account_id, order=9))
        await waiting(slots, account_id, 6)
        for task in leavers:
            task.cancel()
        await asyncio.wait(leavers)
    sent_at = await stayer
    await database.run(until, Lane.objects.filter(sent_at=sent_at).exists, "the stayer's slot")


async def test_a_client_that_leaves_while_its_claim_is_made_wastes_no_slot(
    account_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spacer, "HOLD_MS", 300_000)
    slots = Spacer()
    for _ in range(10):
        leaver = asyncio.create_task(call(slots, account_id))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.wait([leaver])
    assert await call(slots, account_id)


def test_a_hold_is_longer_than_connecting_takes() -> None:
    assert spacer.HOLD_MS > transport.POOL_SECONDS * 1000


def test_background_work_of_an_account_is_one_at_a_time(account_id: UUID) -> None:
    assert spacer.begin_work(account_id)
    assert not spacer.begin_work(account_id)
    spacer.end_work(account_id)
    assert spacer.begin_work(account_id)


async def test_too_many_waiting_calls_are_refused_with_an_honest_time(account_id: UUID, settings: Settings) -> None:
    settings.XIPU_CALL_INTERVAL_SECONDS = 1.0
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        tasks = [asyncio.create_task(call(slots, account_id, order=number)) for number in range(32)]
        await waiting(slots, account_id, 32)
        with pytest.raises(QueueFull) as refused:
            await call(slots, account_id, order=99)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert refused.value.retry_after in range(32, 61)


async def test_a_burst_does_not_slip_past_the_limit(account_id: UUID) -> None:
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        tasks = [asyncio.create_task(call(slots, account_id, order=number)) for number in range(60)]
        done, waiting = await asyncio.wait(tasks, timeout=None, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 60 - spacer.MAX_WAITING:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert all(isinstance(task.exception(), QueueFull) for task in done)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_the_first_of_a_long_queue_is_not_refused(account_id: UUID, settings: Settings) -> None:
    settings.XIPU_CALL_INTERVAL_SECONDS = 1.0
    slots = Spacer()
    async with slots.slot(account_id, order=0):
        tasks = [asyncio.create_task(call(slots, account_id, order=number)) for number in range(2, 34)]
        await waiting(slots, account_id, 32)
        continued = asyncio.create_task(call(slots, account_id, order=1))
        await waiting(slots, account_id, 33)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert await continued


async def test_a_grown_interval_holds_at_once_and_shrinks_with_good_calls(account_id: UUID) -> None:
    slots = Spacer()
    before = await call(slots, account_id)
    await database.run(spacer.slow_down, account_id)
    after = await call(slots, account_id)
    assert after - before >= 600
    await database.run(until, lambda: 0 < Lane.objects.get().extra_ms < 500, "a shrunk interval")


def test_the_interval_does_not_grow_without_end(account_id: UUID) -> None:
    spacer.claim(account_id)
    for _ in range(20):
        spacer.slow_down(account_id)
    assert Lane.objects.get().extra_ms == spacer.MAX_EXTRA_MS


def test_the_interval_counts_from_the_real_time_of_sending(account_id: UUID) -> None:
    mark = spacer.claim(account_id)
    assert mark is not None
    sent_at = spacer.now_ms() + 5_000
    spacer.record_sent(account_id, mark, sent_at)
    assert Lane.objects.get().next_at == sent_at + 100


def test_a_slot_whose_holder_died_is_free_after_its_hold(account_id: UUID) -> None:
    spacer.claim(account_id)
    assert spacer.claim(account_id) is None
    Lane.objects.update(next_at=spacer.now_ms())
    assert spacer.claim(account_id) is not None


def test_a_clock_that_was_set_back_does_not_lock_an_account(account_id: UUID) -> None:
    Lane.objects.create(account_id=account_id, next_at=spacer.now_ms() + 86_400_000)
    assert spacer.claim(account_id) is not None


def test_a_page_in_chrome_holds_the_lane_until_an_interval_after_its_last_call(account_id: UUID) -> None:
    with spacer.held(account_id) as hold:
        assert spacer.claim(account_id) is None
        before = spacer.now_ms()
        hold.seen(time.time())
        after = spacer.now_ms()
    assert before + 99 <= Lane.objects.get().next_at <= after + 101


def test_a_page_that_made_no_call_leaves_the_lane_free(account_id: UUID) -> None:
    with spacer.held(account_id):
        pass
    assert spacer.claim(account_id) is not None


CLAIMER = """
import django; django.setup()
from uuid import UUID
from gateway import database, spacer
won = 0
for _ in range(200):
    won += spacer.claim(UUID("{account_id}")) is not None
print(won)
"""


def test_processes_that_claim_at_once_win_one_slot_together(account_id: UUID) -> None:
    spacer.claim(account_id)
    Lane.objects.update(next_at=0)
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url()}
    code = CLAIMER.format(account_id=account_id)
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=_env(env), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sum(int(child.communicate()[0]) for child in children) == 1


def test_threads_that_claim_at_once_win_one_slot_together(account_id: UUID) -> None:
    spacer.claim(account_id)
    Lane.objects.update(next_at=0)
    won: list[int] = []

    def work() -> None:
        won.extend(filter(None, (spacer.claim(account_id) for _ in range(20))))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def _env(more: dict[str, str]) -> dict[str, str]:
    import os

    return {**os.environ, **more}
