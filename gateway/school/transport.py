"""How a request leaves for the school: its slot, its connection, its timeouts, and the real moment of sending.

The school limits how often an account's calls *arrive*. Opening a connection can take seconds, so the moment that
counts is when the request was written, not when the call began: `exchange` learns it from aiohttp's tracing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from contextvars import ContextVar
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol, cast

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from gateway.errors import SchoolError, SchoolMalformed, SchoolNoAnswer, SchoolUnreachable

CONNECT_SECONDS = 10.0
POOL_SECONDS = 20.0
"""For a free connection, which under aiohttp includes opening one."""
READ_SECONDS = 30.0
"""Between two reads of a JSON answer."""
ANSWER_SECONDS = 60.0
"""For the whole of a JSON answer's body. aiohttp alone waits for ever once the framing of a body is broken."""
COMPLETION_READ_SECONDS = 300.0
"""Between two reads of a completion: a model that thinks is silent for minutes."""
WRITE_SECONDS = 120.0
"""For the whole of a request, uploads included."""
KEEPALIVE_SECONDS = 15.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024

FOREIGN_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    aiohttp.ClientError,
    HttpProcessingError,
    OSError,
)
"""All that httpx and its aiohttp transport raise. The transport lets some of aiohttp's and the system's own through."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_UNREADABLE = (httpx.DecodingError, httpx.RemoteProtocolError, aiohttp.ClientResponseError, HttpProcessingError)


class Slot(Protocol):
    def sent(self) -> None:
        """Called once, when the request was written, and before the answer: from here the next call's interval runs."""


class Gate(Protocol):
    """Gives a call its slot. It is entered right before a request and left as soon as that was sent or has failed,
    long before the answer: leaving it without `sent()` means that nothing reached the school.
    """

    def __call__(self) -> AbstractAsyncContextManager[Slot]: ...


class _Departure:
    """Follows one request out. `begun`: something was written; `gone` is done once all of it was."""

    def __init__(self, slot: Slot, body_size: int) -> None:
        self.begun = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slot = slot
        self._unwritten = body_size

    def headers_written(self) -> None:
        self.begun = True
        self._note_when_complete()

    def body_written(self, size: int) -> None:
        self._unwritten -= size
        self._note_when_complete()

    def note(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)
            self._slot.sent()

    def _note_when_complete(self) -> None:
        if self._unwritten <= 0:
            self.note()


_departing: ContextVar[_Departure | None] = ContextVar("departing", default=None)
"""Links aiohttp's tracing to the request: aiohttp runs the hooks in tasks that inherit the context of `_answer`."""


def make_http(*, max_connections: int = 512) -> httpx.AsyncClient:
    """The client that all accounts of a process share, over aiohttp. It keeps no cookies: they are in the token.

    It follows no redirect (one to the sign-on means a dead token) and reads no proxy, netrc or certificate setting
    from the environment. Each streaming answer holds one of the `max_connections`. The caller closes it.
    """
    return httpx.AsyncClient(
        transport=AiohttpTransport(client=_session_factory(max_connections)),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=timeouts(READ_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def timeouts(read: float) -> httpx.Timeout:
    """The four timeouts in seconds. `exchange` itself bounds writing, which the aiohttp transport does not."""
    return httpx.Timeout(connect=CONNECT_SECONDS, read=read, write=WRITE_SECONDS, pool=POOL_SECONDS)


def _session_factory(max_connections: int) -> Callable[[], aiohttp.ClientSession]:
    """A factory, because an aiohttp session is made inside the event loop that uses it."""

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=_tls(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_tracing()],
            middlewares=(_send_once,),
        )

    return session


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificate authorities takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


def _tracing() -> aiohttp.TraceConfig:
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_headers_written)
    tracing.on_request_chunk_sent.append(_body_written)
    return tracing


async def _headers_written(session: Any, context: Any, params: aiohttp.TraceRequestHeadersSentParams) -> None:
    if departure := _departing.get():
        departure.headers_written()


async def _body_written(session: Any, context: Any, params: aiohttp.TraceRequestChunkSentParams) -> None:
    if departure := _departing.get():
        departure.body_written(len(params.chunk))


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp sends a GET again by itself when a kept connection drops. That second call would have no slot."""
    departure = _departing.get()
    if departure and departure.begun:
        raise aiohttp.ClientConnectionError("The connection was lost")
    return await handler(request)


@asynccontextmanager
async def exchange(http: httpx.AsyncClient, gate: Gate, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    """Sends one request in its slot; the answer's status and headers have come. Leaving closes the answer at once.

    Raises SchoolUnreachable when nothing was sent, SchoolNoAnswer when it is unknown what the school did,
    SchoolMalformed for what is not HTTP, and what the gate raises.
    """
    answer: asyncio.Task[httpx.Response] | None = None
    try:
        async with gate() as slot:
            departure = _Departure(slot, int(request.headers.get("content-length", 0)))
            answer = asyncio.create_task(_answer(http, request, departure))
            await _wait_until_sent(answer, departure)
        yield await answer
    finally:
        if answer:
            await _close(answer)


async def _answer(http: httpx.AsyncClient, request: httpx.Request, departure: _Departure) -> httpx.Response:
    _departing.set(departure)
    try:
        response = await http.send(request, stream=True)
    except FOREIGN_ERRORS as error:
        raise translated(error, begun=departure.begun) from error
    departure.begun = True
    return response


async def _wait_until_sent(answer: asyncio.Task[httpx.Response], departure: _Departure) -> None:
    """Ends with the slot noted, also for a request of which only a part left, or with one that will never leave."""
    try:
        either: set[asyncio.Future[Any]] = {answer, departure.gone}
        done, _ = await asyncio.wait(either, timeout=POOL_SECONDS + WRITE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise translated(httpx.ConnectTimeout("The request could not be written"), begun=departure.begun)
    finally:
        if departure.begun:
            departure.note()
        else:
            answer.cancel()


async def _close(answer: asyncio.Task[httpx.Response]) -> None:
    if not answer.done():
        answer.cancel()
        await asyncio.wait({answer})
    if not answer.cancelled() and not answer.exception():
        # A connection that broke needs no closing, and whoever read from it was told.
        with suppress(*FOREIGN_ERRORS):
            await answer.result().aclose()


def translated(error: Exception, *, begun: bool = True) -> SchoolError:
    """Our error for a foreign one. `begun`: something of the request was written.

    The class of the foreign error does not tell: the aiohttp transport calls a server's disconnect ConnectTimeout.
    """
    if not begun and isinstance(error, _NOT_SENT):
        return SchoolUnreachable("The school cannot be reached. Try again later.")
    if isinstance(error, _UNREADABLE):
        return SchoolMalformed("The school's answer cannot be read.")
    return SchoolNoAnswer("The school did not answer the call, or broke off.")


def received(response: httpx.Response) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
    """The decompressed body, one chunk for each network read of up to 16 KiB."""
    return aclosing(cast(AsyncGenerator[bytes, None], response.aiter_bytes()))


async def read_body(chunks: AsyncIterator[bytes], head: bytes = b"") -> bytes:
    """The rest of a body behind `head`. Raises SchoolNoAnswer when it breaks off, SchoolMalformed when it is unreadable
    or larger than MAX_ANSWER_BYTES.
    """
    body = bytearray(head)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise SchoolMalformed("The school's answer is too large.")
    except FOREIGN_ERRORS as error:
        raise translated(error) from error
    return bytes(body)
