"""One usage record for each request, also when it failed or was cancelled. Never a prompt or an answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from gateway import database, leases
from gateway.callers import Caller
from gateway.calls import Waits
from gateway.errors import ClientLeft, GatewayError, ShuttingDown
from gateway.models import TokenSource, UsageRecord, UsageStatus

SHUTTING_DOWN = "shutting down"
"""The message of the cancellation by which the server ends a request: it is no choice of the client's."""
CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
LETTERS_OF_A_TOKEN = 4
CJK_LETTERS_OF_A_TOKEN = 1.5


@dataclass(frozen=True)
class Turn:
    """A prompt and its answer (reasoning included), and the school's counts, None where it gave none."""

    prompt: str = field(repr=False)
    answer: str = field(repr=False)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def is_counted(self) -> bool:
        return self.prompt_tokens is not None and self.completion_tokens is not None

    def tokens(self) -> tuple[int, int]:
        """Tokens in and out."""
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            return self.prompt_tokens, self.completion_tokens
        return estimate_tokens(self.prompt), estimate_tokens(self.answer)


@dataclass
class Usage:
    """What is measured while a request runs; `record()` turns it into the row's fields."""

    endpoint: str
    request_id: str
    user_agent: str = ""
    retry_count: int = 0
    stream: bool = False
    model: str = ""
    waits: Waits = field(default_factory=Waits)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    token_source: TokenSource = TokenSource.NONE
    started: float = field(default_factory=time.monotonic)
    first_token_at: float | None = None
    repairs: int = 0

    def first_token(self) -> None:
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()

    def count(self, turns: Sequence[Turn]) -> None:
        """Sum the turns: the school's counts where it gave all of them, else estimates, marked as such."""
        known = all(turn.is_counted for turn in turns)
        self.token_source = TokenSource.SCHOOL if known else TokenSource.ESTIMATE
        self.prompt_tokens = sum(turn.tokens()[0] for turn in turns)
        self.completion_tokens = sum(turn.tokens()[1] for turn in turns)
        self.repairs = len(turns) - 1

    def fields(self) -> dict[str, Any]:
        """All of the record that is known only at the end."""
        return {
            "model": printable(self.model)[:120],
            "stream": self.stream,
            "queued_ms": _ms(self.waits.queued),
            "spacing_ms": _ms(self.waits.spacing),
            "login_ms": _ms(self.waits.login),
            "session_ms": self._ms_until(self.waits.session_at),
            "first_token_ms": self._ms_until(self.first_token_at),
            "total_ms": self._ms_until(time.monotonic()),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "token_source": self.token_source,
            "repairs": self.repairs,
        }

    def _ms_until(self, moment: float | None) -> int | None:
        """From the request's arrival; None for what did not happen."""
        return None if moment is None else _ms(moment - self.started)


def printable(text: str) -> str:
    """Without control characters: PostgreSQL refuses some of them."""
    return "".join(filter(str.isprintable, text))


def estimate_tokens(text: str) -> int:
    """About 4 letters a token, 1.5 for Chinese, Japanese and Korean; for texts that the school did not count."""
    cjk = len(CJK.findall(text))
    return round((len(text) - cjk) / LETTERS_OF_A_TOKEN + cjk / CJK_LETTERS_OF_A_TOKEN + 0.5)


@asynccontextmanager
async def recorded(usage: Usage, row: UsageRecord) -> AsyncIterator[None]:
    """Close the record by the way the block is left."""
    status: UsageStatus = UsageStatus.CANCELLED
    http_status: int | None = None
    code: str | None = ""
    with leases.held(row):
        try:
            yield
            status, http_status = UsageStatus.DONE, 200
        except GatewayError as error:
            status, http_status, code = UsageStatus.FAILED, error.status, error.code or ""
            raise
        except asyncio.CancelledError as error:
            if error.args == (SHUTTING_DOWN,):
                status, http_status, code = UsageStatus.FAILED, ShuttingDown.status, ShuttingDown.code
            raise
        except ClientLeft:
            raise
        except Exception:
            status, http_status, code = UsageStatus.FAILED, 500, "internal_error"
            raise
        finally:
            ending = {"status": status, "http_status": http_status, "error_code": code, **usage.fields()}
            await database.run(UsageRecord.objects.filter(pk=row.pk).update, **ending)


def close_lost() -> int:
    """Close the records whose process died. Returns how many."""
    lost = UsageRecord.objects.filter(status=UsageStatus.OPEN, lease_until__lt=timezone.now())
    return lost.update(status=UsageStatus.LOST)


def record_open(usage: Usage, caller: Caller) -> UsageRecord:
    """The request's row, before anything else is done for it."""
    return UsageRecord.objects.create(
        member_id=caller.member_id,
        api_key_id=caller.key_id,
        account=caller.account,
        request_id=usage.request_id,
        endpoint=usage.endpoint,
        model=printable(usage.model)[:120],
        stream=usage.stream,
        user_agent=printable(usage.user_agent)[:200],
        retry_count=usage.retry_count,
        lease_until=leases.lease_end(),
    )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
