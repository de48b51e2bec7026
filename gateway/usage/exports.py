"""Usage records as CSV or JSON lines, streamed: a batch at a time, so that no number of rows fills the memory.

The batches are read in the database's own threads and the response is an asynchronous iterator, which a client that
leaves, or a server that stops, cancels between two batches.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import tzinfo
from typing import Any

from django.db.models import Q, QuerySet, TextChoices
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateway import database
from gateway.models import UsageRecord

BATCH = 1000
SOURCES = {
    "time": "created_at",
    "request_id": "request_id",
    "member": "member__username",
    "key": "api_key__name",
    "key_prefix": "api_key__prefix",
    "endpoint": "endpoint",
    "model": "model",
    "stream": "stream",
    "status": "status",
    "http_status": "http_status",
    "error_code": "error_code",
    "queued_ms": "queued_ms",
    "spacing_ms": "spacing_ms",
    "login_ms": "login_ms",
    "session_ms": "session_ms",
    "first_token_ms": "first_token_ms",
    "total_ms": "total_ms",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "token_source": "token_source",
    "repairs": "repairs",
    "client": "user_agent",
    "client_retries": "retry_count",
}
"""The columns, and where they come from. Times are ISO 8601 in the reader's time zone; what is unknown stays empty."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula, and runs it."""

Row = dict[str, Any]
Encode = Callable[[Iterable[Row]], bytes]


class Format(TextChoices):
    CSV = "csv", _("CSV")
    JSONL = "jsonl", _("JSON lines")


CONTENT_TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSONL: "application/jsonl; charset=utf-8"}


def export(records: QuerySet[UsageRecord], form: Format, *, name: str = "usage") -> StreamingHttpResponse:
    """A download of `records`, filtered as you like; their order is the export's own, the newest first."""
    lines = {Format.CSV: csv_lines, Format.JSONL: json_lines}[form]
    response = StreamingHttpResponse(lines(records), content_type=CONTENT_TYPES[form])
    day = timezone.localdate().isoformat()
    response["Content-Disposition"] = f'attachment; filename="{name}-{day}.{form.value}"'
    response["Cache-Control"] = "no-store"
    # Else a proxy may collect the whole before it passes anything on.
    response["X-Accel-Buffering"] = "no"
    return response


def csv_lines(records: QuerySet[UsageRecord]) -> AsyncIterator[bytes]:
    """A line of column names, then one for each record; texts that a spreadsheet would run are defused."""
    return _encoded(records, _csv, timezone.get_current_timezone(), head=_csv([{name: name for name in SOURCES}]))


def json_lines(records: QuerySet[UsageRecord]) -> AsyncIterator[bytes]:
    """One JSON object on a line for each record; unknown numbers are null."""
    return _encoded(records, _json, timezone.get_current_timezone())


async def _encoded(
    records: QuerySet[UsageRecord], encode: Encode, zone: tzinfo, *, head: bytes = b""
) -> AsyncIterator[bytes]:
    """`zone` is the request's: when the iterator runs, the request's own is over."""
    if head:
        yield head
    last = None
    while batch := await database.run(_batch, records, last):
        yield encode([_row(values, zone) for _key, *values in batch])
        last = batch[-1]


def _batch(records: QuerySet[UsageRecord], last: Sequence[Any] | None) -> list[tuple[Any, ...]]:
    """Id, then the columns, of the rows after `last`: by key, since a page by number reads all pages before it."""
    if last is not None:
        key, at = last[:2]
        records = records.filter(Q(created_at__lt=at) | Q(id__lt=key), created_at__lte=at)
    return list(records.order_by("-created_at", "-id").values_list("id", *SOURCES.values())[:BATCH])


def _row(values: Sequence[Any], zone: tzinfo) -> Row:
    row = dict(zip(SOURCES, values, strict=True))
    return {**row, "time": timezone.localtime(row["time"], zone).isoformat(timespec="milliseconds")}


def _csv(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([defused(value) for value in row.values()] for row in rows)
    return text.getvalue().encode()


def defused(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _json(rows: Iterable[Row]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
