"""A request whose client leaves while it is being admitted."""

from __future__ import annotations

import asyncio
import threading

import pytest

from accounts.keys import key_issue
from accounts.models import Member
from gateway.api.admission import admitted, by_key
from gateway.api.streaming import Exchange
from gateway.callers import Caller
from gateway.models import UsageRecord

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 60


async def leave_while_admitted(api_key: str) -> None:
    """Cancelled, as a client's leaving does it, while a thread asks the database whose key it is."""
    headers = [(b"authorization", f"Bearer {api_key}".encode())]
    scope = {"method": "POST", "path": "/v1/chat/completions", "headers": headers, "client": ("127.0.0.1", 1)}
    exchange = Exchange(scope, asyncio.Event().wait, lambda _: asyncio.sleep(0))  # type: ignore[arg-type]
    asked, left = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slowly() -> Caller:
        loop.call_soon_threadsafe(asked.set)
        assert left.wait(SECONDS)
        return by_key(exchange)()

    async def admit() -> None:
        async with admitted(exchange, "chat/completions", slowly):
            pytest.fail("nobody waits for an answer")

    request = asyncio.create_task(admit())
    await asked.wait()
    request.cancel()
    await asyncio.sleep(0)
    left.set()
    with pytest.raises(asyncio.CancelledError):
        await request


def test_its_record_says_cancelled() -> None:
    api_key = key_issue(member=Member.objects.create_user("alice"))[1]
    asyncio.run(leave_while_admitted(api_key))
    assert UsageRecord.objects.get().status == "cancelled"


def test_with_a_key_that_nobody_has_there_is_none() -> None:
    asyncio.run(leave_while_admitted("sk-nobody"))
    assert not UsageRecord.objects.exists()
