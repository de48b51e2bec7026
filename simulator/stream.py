"""The completion stream: frames of Server-Sent Events, and the response that sends them."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.answers import Answer, summary
from simulator.settings import Settings
from simulator.state import School

DONE = "[DONE]"


def _compact(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def event(data: dict[str, Any] | str, frames: str) -> bytes:
    """Return one frame in the style `frames` (a setting)."""
    text = data if isinstance(data, str) else _compact(data)
    if frames == "crlf":
        return f"data: {text}\r\n\r\n".encode()
    if frames == "comments":
        return f": keep-alive\n\n: about the next\ndata:{text}\n\n".encode()
    if frames == "multiline" and not isinstance(data, str):
        # Between two tokens of JSON a line break is white space, so the joined lines are the same object.
        text = json.dumps(data, ensure_ascii=False, indent=0).replace("\n", "\ndata: ")
    return f"data: {text}\n\n".encode()


def _frames(answer: Answer, style: str) -> Iterator[bytes]:
    """Yield the frames of the reasoning and of the pieces."""
    name = secrets.token_hex(8)
    for piece in answer.reasoning:
        yield event({"id": name, "type": "string", "reasoning_data": piece, "code": 0}, style)
    for piece in answer.pieces:
        yield event({"id": name, "type": "string", "data": piece, "code": 0}, style)


def _last_frames(answer: Answer, style: str) -> bytes:
    """Return what follows after the last piece."""
    if answer.ending == "error":
        return event({"code": answer.directive.error_code, "msg": "The model service failed."}, style)
    if answer.ending != "complete":
        return b""
    frames = b""
    if answer.summary:
        frames += event({"type": "object", "data": summary(answer), "code": 0}, style)
    if answer.done:
        frames += event(DONE, style)
    return frames


async def disconnected(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_client_leaves(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Run `work`, cancelled when the client leaves; tell whether it came to its end."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


class CompletionStream(Response):
    """Sends `answer`; calls `ended` with its ending, or `client_left`, when it is over."""

    media_type = "text/event-stream"

    def __init__(self, school: School, answer: Answer, ended: Callable[[str], None]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache"
        self._school = school
        self._settings: Settings = school.settings
        self._answer = answer
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until its end or the client's leaving."""
        outcome = "client_left"
        try:
            if await unless_client_leaves(receive, self._play(send)):
                outcome = self._answer.ending
                await self._finish(scope, receive, send)
        finally:
            self._ended(outcome)

    async def _play(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await asyncio.sleep(self._answer.directive.first_delay_ms / 1000)
        await self._send_pieces(send)

    async def _finish(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._answer.ending == "abort":
            # In the middle of a chunked body; the frames sent so far still leave.
            scope["state"]["transport"].close()
            await disconnected(receive)
        else:
            last = _last_frames(self._answer, self._settings.frames)
            await send({"type": "http.response.body", "body": last})

    async def _send_pieces(self, send: Send) -> None:
        directive = self._answer.directive
        at_once = 1 if directive.delay_ms or directive.hold else self._settings.pieces_per_write
        waiting: list[bytes] = []
        must_hold = directive.hold
        for frame in _frames(self._answer, self._settings.frames):
            waiting.append(frame)
            if len(waiting) < at_once:
                continue
            await self._write(send, waiting)
            if must_hold:
                must_hold = False
                await self._hold()
        await self._write(send, waiting)
        if must_hold:
            await self._hold()

    async def _write(self, send: Send, waiting: list[bytes]) -> None:
        if not waiting:
            return
        await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
        waiting.clear()
        # Also with a delay of 0, which lets other requests run between two writes.
        await asyncio.sleep(self._answer.directive.delay_ms / 1000)

    async def _hold(self) -> None:
        with self._school.holding():
            await self._school.released.wait()
