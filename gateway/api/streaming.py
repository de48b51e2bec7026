"""The base of the API's consumers: plain ASGI, because a consumer must see its client leave.

Channels' `AsyncHttpConsumer.handle()` does not (django/channels#1249): `http.disconnect` waits until it returns. Here
the handler races against `receive()`; when the client leaves, or the server shuts down, it is cancelled and its
clean-up is waited for, in bounds. Django's middleware is not in the way, so host, CORS, request id and access log are
done here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import orjson
import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from gateway.addresses import scope_address
from gateway.api.responses import KEEP_ALIVE, error_frame
from gateway.errors import (
    AnswerCut,
    ClientLeft,
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    RequestTooLarge,
    ShuttingDown,
)
from gateway.usage.recording import SHUTTING_DOWN

log = structlog.get_logger("gateway.access")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# Daphne kills an application 10 s after its client has left.
CLEAN_UP_SECONDS = 5.0
# A client that is there but reads nothing holds a session at the school: it is taken for gone.
STALLED_SECONDS = 60.0
EXPOSED_HEADERS = (
    "x-request-id, retry-after, x-should-retry, x-gateway-ignored-parameters, x-ratelimit-limit-requests, "
    "x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
)


class Exchange:
    """One request and the one answer to it: JSON, or a stream of frames."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, *, cross_origin: bool = True) -> None:
        self.scope = scope
        self.cross_origin = cross_origin
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.address = scope_address(scope, self.headers)
        self.request_id = f"req_{secrets.token_hex(12)}"
        self.arrived = time.monotonic()
        self.status: int | None = None
        self.error_code: str | None = None
        # Whether the school may have taken a prompt of this request: then no error invites to send it again.
        self.may_have_cost: Callable[[], bool] = lambda: False
        self.streaming = False
        self.finished = False
        self.error_frames: Callable[[GatewayError], bytes] = error_frame
        """How a failure after the headers is told."""
        self._receive = receive
        self._send = send
        self._extra: dict[str, str] = {}
        self._wire = asyncio.Lock()
        self._last_write = self.arrived

    def header(self, name: str, value: str) -> None:
        """One more header of the answer."""
        self._extra[name] = value

    async def body(self) -> bytes:
        """All of the request's body. Raises `RequestTooLarge`, and `ClientLeft` where it does not come."""
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > settings.MAX_BODY_BYTES:
                raise RequestTooLarge(f"The request body is larger than {settings.MAX_BODY_BYTES:,} bytes.")
            more = message.get("more_body", False)
        return b"".join(parts)

    async def left(self) -> None:
        """Returns when the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(self, payload: Any, *, status: int = 200) -> None:
        """The whole answer as JSON."""
        content = orjson.dumps(payload)
        await self._start(status, {"content-type": "application/json", "content-length": str(len(content))})
        await self._write(content, more=False)

    async def answer_empty(self, status: int) -> None:
        await self._start(status, {"content-length": "0"})
        await self._write(b"", more=False)

    async def stream(self, frames: bytes) -> None:
        """Some frames of a stream; the first ones send the headers."""
        async with self._wire:
            if not self.streaming:
                self.streaming = True
                await self._start(
                    200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
                )
            await self._write(frames, more=True)

    async def end_stream(self) -> None:
        async with self._wire:
            await self._write(b"", more=False)

    async def fail(self, error: GatewayError) -> None:
        """The error as status and JSON, or, when a stream has begun, as its last frames (no `[DONE]` follows)."""
        self.error_code = error.code
        error.permanent = error.permanent or self.may_have_cost()
        if self.streaming:
            await self.stream(self.error_frames(error))
            await self.end_stream()
        elif self.status is None:
            self._extra |= error.headers()
            await self.answer(error.body(), status=error.status)

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Comments whenever the stream has been silent for 10 s; the first one sends the headers."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])
            if not ticking.cancelled() and isinstance(ticking.exception(), ClientLeft):
                log.info("the client reads nothing any more", request_id=self.request_id)

    async def _tick(self) -> None:
        while True:
            silent = time.monotonic() - self._last_write
            if silent >= settings.ANSWER_SILENCE_SECONDS:
                await self.stream(KEEP_ALIVE)
            else:
                await asyncio.sleep(settings.ANSWER_SILENCE_SECONDS - silent)

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        sent = {**headers, "x-request-id": self.request_id, **self._cors(), **self._extra}
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()],
            }
        )

    async def _write(self, content: bytes, *, more: bool) -> None:
        self._last_write = time.monotonic()
        self.finished = not more
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self._send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError:
            raise ClientLeft from None

    def _cors(self) -> dict[str, str]:
        """Any page may call the API: a key is needed, cookies play no part."""
        if "origin" not in self.headers or not self.cross_origin:
            return {}
        return {"access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED_HEADERS}


class Consumer:
    """One route of the API. A subclass writes `respond`; everything it raises becomes OpenAI's JSON."""

    methods: ClassVar[tuple[str, ...]] = ("GET",)
    cross_origin: ClassVar[bool] = True
    """Whether pages of other hosts may call it."""

    def __init__(self, **route: str) -> None:
        self.route = route

    async def respond(self, exchange: Exchange, body: bytes) -> None:
        """Answer the request. Raises `GatewayError`s."""
        raise NotImplementedError

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, cross_origin=self.cross_origin)
        try:
            await self._answer(exchange)
        except ClientLeft:
            return
        finally:
            _log_access(exchange)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            _check_host(exchange)
            if exchange.method == "OPTIONS" and self.cross_origin:
                await self._preflight(exchange)
            elif exchange.method not in self.methods:
                exchange.header("allow", ", ".join(self.methods))
                raise MethodNotAllowed(
                    f"{exchange.path[:200]} takes {' or '.join(self.methods)}, not {exchange.method}."
                )
            else:
                await self._race(exchange)
        except GatewayError as error:
            await exchange.fail(error)

    async def _race(self, exchange: Exchange) -> None:
        """Run the handler until it ends, its client leaves, or the server cancels this task to shut down."""
        body = await exchange.body()
        work = asyncio.create_task(self._guarded(exchange, body))
        watch = asyncio.create_task(exchange.left())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _cancel(work, SHUTTING_DOWN)
            await exchange.fail(_shut_down(exchange))
            raise
        finally:
            watch.cancel()
            if exchange.finished:
                # What comes after the last byte is bookkeeping; the server reports a client gone as soon as it is out.
                await asyncio.wait([work], timeout=CLEAN_UP_SECONDS)
            await _cancel(work)
        if work.done() and not work.cancelled():
            work.result()

    async def _guarded(self, exchange: Exchange, body: bytes) -> None:
        try:
            await self.respond(exchange, body)
        except (GatewayError, ClientLeft):
            raise
        except Exception as error:
            log.error("unexpected error", exc_info=error, request_id=exchange.request_id)
            raise GatewayError("The gateway failed in an unexpected way. Its log knows this request id.") from None

    async def _preflight(self, exchange: Exchange) -> None:
        asked = exchange.headers.get("access-control-request-headers", "authorization, content-type")
        exchange.header("access-control-allow-origin", "*")
        exchange.header("access-control-allow-methods", ", ".join((*self.methods, "OPTIONS")))
        exchange.header("access-control-allow-headers", asked)
        exchange.header("access-control-max-age", "86400")
        await exchange.answer_empty(204)


def _shut_down(exchange: Exchange) -> GatewayError:
    if exchange.may_have_cost():
        return AnswerCut("The gateway was shut down in the middle of the answer.", code="shutting_down")
    return ShuttingDown("The gateway is shutting down. Try again in a few seconds.")


async def _cancel(work: asyncio.Task[None], why: str | None = None) -> None:
    """Cancel and wait for the clean-up; what it leaves undone is swept by a task."""
    if not work.done():
        work.cancel(why)
        await asyncio.wait([work], timeout=CLEAN_UP_SECONDS)


def _check_host(exchange: Exchange) -> None:
    host, _ = split_domain_port(exchange.headers.get("host", ""))
    allowed = settings.ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
    if not host or not validate_host(host, allowed):
        raise InvalidRequest("This host name is not one of GATEWAY_ALLOWED_HOSTS.", code="host_not_allowed")


def _log_access(exchange: Exchange) -> None:
    log.info(
        "request",
        method=exchange.method,
        path=exchange.path[:200],
        status=exchange.status,
        error=exchange.error_code,
        request_id=exchange.request_id,
        ms=round((time.monotonic() - exchange.arrived) * 1000),
    )
