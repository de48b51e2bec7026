"""One completion as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import httpx

from gateway.errors import AnswerCut, AnswerEmpty, SchoolError, SchoolMalformed
from gateway.school.events import Done, Failure, Piece, Reasoning, SseDecoder, Summary, parse
from gateway.school.refusals import BLANK, failed, is_html, read_answer, refusal
from gateway.school.transport import FOREIGN_ERRORS, read_body, translated

SUMMARY_GRACE_SECONDS = 5.0
"""How long `[DONE]` is awaited after the summary: it may be missing (protocol page) while the connection stays open."""

Delta = Piece | Reasoning | Summary
"""What a batch holds. `Done` and `Failure` are told by the iterator's end and by its error."""


class CompletionStream:
    """Iterates over the answer in batches: the events of one network read, never none of them.

    It ends only when the answer is complete: `[DONE]` or the summary came. Otherwise it raises AnswerCut when the
    answer ended without either, SchoolNoAnswer when it fell silent, SchoolError for an error that the school sent
    in mid-stream, or SchoolMalformed. Events that came before an error in the same read are given out first.
    """

    def __init__(self, response: httpx.Response, chunks: AsyncIterator[bytes], *, silence_seconds: float) -> None:
        self._response = response
        self._chunks = chunks
        self._silence_seconds = silence_seconds
        self._decoder = SseDecoder()
        self._batch: list[Delta] = []
        self._error: SchoolError | None = None
        self._begun = False
        self._summarised = False
        self._ended = False

    async def open(self) -> None:
        """Reads up to the first event of meaning. Raises what the school refused instead of answering."""
        head = await self._first_chunk()
        if self._is_stream(head):
            self._decode(head)
            await self._fill()
        else:
            self._take_whole(await read_body(self._chunks, head))

    def __aiter__(self) -> CompletionStream:
        return self

    async def __anext__(self) -> list[Delta]:
        await self._fill()
        if not self._batch:
            raise StopAsyncIteration
        batch, self._batch = self._batch, []
        return batch

    async def _first_chunk(self) -> bytes:
        """The first chunk that is more than white space, without the white space before it."""
        try:
            while (chunk := await self._next_chunk()) is not None:
                if head := chunk.lstrip(BLANK):
                    return head
        except FOREIGN_ERRORS as error:
            raise translated(error) from error
        return b""

    async def _next_chunk(self) -> bytes | None:
        """None at the end. The limit is ours, because aiohttp waits for ever once the framing of a body is broken."""
        async with asyncio.timeout(SUMMARY_GRACE_SECONDS if self._summarised else self._silence_seconds):
            return await anext(self._chunks, None)

    def _is_stream(self, head: bytes) -> bool:
        content_type = self._response.headers.get("content-type", "")
        return self._response.is_success and not head.startswith(b"{") and not is_html(content_type, head)

    def _take_whole(self, body: bytes) -> None:
        """A refusal, or the rare answer in one JSON object (protocol page)."""
        content_type = self._response.headers.get("content-type", "")
        read_answer(self._response.status_code, content_type, body, quote=False)
        self._take([body.decode()])
        if not self._summarised:
            raise SchoolMalformed("The school's answer cannot be read.")
        self._ended = True

    async def _fill(self) -> None:
        while not (self._batch or self._error or self._ended):
            await self._read()
        if self._error and not self._batch:
            raise self._error

    async def _read(self) -> None:
        try:
            chunk = await self._next_chunk()
        except FOREIGN_ERRORS as error:
            self._end(self._broken_off(error))
        else:
            if chunk is None:
                self._end(None)
            else:
                self._decode(chunk)

    def _decode(self, chunk: bytes) -> None:
        try:
            self._take(self._decoder.feed(chunk))
        except SchoolMalformed as error:
            self._error = error

    def _take(self, frames: Iterable[str]) -> None:
        for frame in frames:
            for event in parse(frame):
                if isinstance(event, Done):
                    self._ended = True
                    return
                if isinstance(event, Failure):
                    self._error = self._failure(event)
                    return
                self._begun = True
                self._summarised |= isinstance(event, Summary)
                self._batch.append(event)

    def _end(self, error: SchoolError | None) -> None:
        """No more bytes come, because of `error` or in order. A last event that lacks its blank line still counts."""
        rest = self._decoder.flush()
        # An event that was cut in two tells nothing that the missing end does not.
        with suppress(SchoolMalformed):
            self._take(rest)
        if self._error or self._ended:
            return
        if self._summarised:
            self._ended = True
        elif error or self._begun or rest:
            self._error = error or AnswerCut("The school broke off its answer.")
        else:
            self._error = AnswerEmpty("The school gave no answer at all.")

    def _broken_off(self, error: Exception) -> SchoolError:
        if isinstance(error, httpx.ReadTimeout | TimeoutError) or not self._begun:
            return translated(error)
        return AnswerCut("The connection to the school broke in the middle of the answer.")

    def _failure(self, event: Failure) -> SchoolError:
        """A refusal only as the first event: after a piece of the answer the school has accepted the prompt."""
        refused = None if self._begun else refusal(event.code, event.message)
        return refused or failed(event.code, "")
