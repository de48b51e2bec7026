"""The web server: Daphne, cured of what would hurt an API of long streams.

    serve() ── Server      one process: listening, applications, drain
                 └─ Factory
                      └─ Channel   one connection: limits of the parser, backpressure
                           └─ Request   one request and its response

Serves any ASGI application over HTTP/1.1 and WebSockets. Each override names the fault of Daphne 4.2.3 or Twisted
25.5.0 that it cures; both are pinned, because the overrides rely on their details.

Importing this module decides the event loop of the process: Twisted's reactor is installed here, on uvloop where that
is to be had, and Daphne takes the reactor that it finds. Whoever imports `daphne.server` first gets
`ReactorAlreadyInstalledError` here.
"""

# Twisted is half typed.
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import traceback
import uuid
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from io import BytesIO
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.error import CannotListenError
from twisted.internet.main import installReactor

from gateway.errors import GatewayError, InvalidRequest, RequestTooLarge, ShuttingDown


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


_loop = _new_event_loop()
_reactor = asyncioreactor.AsyncioSelectorReactor(_loop)
installReactor(_reactor)

# Each of these takes hold of the reactor that is installed by then.
import daphne.server  # noqa: E402
from daphne.endpoints import build_endpoint_description_strings  # noqa: E402
from daphne.http_protocol import HTTPFactory, WebRequest  # noqa: E402
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol  # noqa: E402
from twisted.internet.endpoints import serverFromString  # noqa: E402
from twisted.logger import globalLogBeginner  # noqa: E402
from twisted.python.failure import Failure  # noqa: E402
from twisted.web.http import NO_BODY_CODES, HTTPChannel  # noqa: E402
from twisted.web.http_headers import Headers  # noqa: E402

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Application = Callable[..., Coroutine[Any, Any, None]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024

APPLICATION_CLOSE_SECONDS = 10
"""How long an application may go on after its response is complete or its client has gone."""
HANDSHAKE_SECONDS = 20
"""How long the opening of a WebSocket may take: the database is asked who may open it, also on a busy machine."""

CLEANUP_SECONDS = 5
"""How long each step of a stop after the drain may take: cancelled applications, left-over tasks, last bytes."""

LINGER_SECONDS = 10
"""How long the rest of a refused upload is read and thrown away, so that the client gets to read the refusal."""

BACKLOG = 1024
"""Connections that wait to be accepted. With Twisted's 50, a burst of clients waits a second for its second SYN."""

GOING_AWAY = 1001
"""WebSocket close code of RFC 6455 for a server that goes down."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class HeadersTooLarge(RequestTooLarge):
    """The request line and headers exceed the parser's 16 KiB."""

    status = 431
    code = "headers_too_large"


def serve(
    application: Application,
    *,
    host: str,
    port: int,
    max_body_bytes: int = MAX_BODY_BYTES,
    drain_seconds: float = 30,
    lifespan: Lifespan | None = None,
    on_listening: Callable[[int], None] | None = None,
) -> None:
    """Serve `application` until SIGTERM or SIGINT; returns when the drain is over.

    `port` 0 takes a free port; `on_listening` is told the real one. `lifespan` is entered on the running loop before
    the port opens and left after the drain. A stop takes at most `drain_seconds`, four times `CLEANUP_SECONDS`, and
    what `lifespan` takes to end; a second signal ends the drain at once, a third the process.

    Raises `SystemExit` with one line and status 1 when the port cannot be opened.
    """
    server = Server(
        application,
        host=host,
        port=port,
        max_body_bytes=max_body_bytes,
        drain_seconds=drain_seconds,
        lifespan=lifespan or nullcontext,
        on_listening=on_listening or (lambda _port: None),
    )
    try:
        server.run()
    except CannotListenError as error:
        reason = getattr(error.socketError, "strerror", None) or error.socketError
        sys.exit(f"Cannot listen on {host}:{port}: {reason}.")


class Channel(HTTPChannel):
    """One connection."""

    factory: Factory
    transport: Any
    writable: asyncio.Event
    closed: asyncio.Future[None]
    refused = False

    def connectionMade(self) -> None:  # noqa: N802
        self.writable = asyncio.Event()
        self.writable.set()
        self.closed = _loop.create_future()
        self.factory.channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # noqa: N802
        super().connectionLost(reason)
        self.factory.channels.discard(self)
        self.writable.set()
        self.closed.set_result(None)

    def pauseProducing(self) -> None:  # noqa: N802
        """Twisted calls this when 64 KiB wait for a slow reader; Daphne does not listen and buffers without end."""
        self.writable.clear()
        super().pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        self.writable.set()
        super().resumeProducing()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Answer what the parser refuses. Refusals are raised, so that no further byte is parsed or kept."""
        if self.refused:
            return
        try:
            super().dataReceived(data)
        except GatewayError as error:
            self._refuse(error)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        """Twisted drops the connection without an answer."""
        raise HeadersTooLarge("The request's headers are too large.")

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        """Twisted answers a bare 400, also to headers that are too large."""
        if self._receivedHeaderSize > self.totalHeadersSize:
            raise HeadersTooLarge("The request's headers are too large.")
        raise InvalidRequest("The request is not valid HTTP.")

    def _refuse(self, error: GatewayError) -> None:
        """Answer a request that has not fully come, and close.

        A socket that is closed while unread bytes arrive is reset, and the reset can overtake the answer: so only the
        writing half is closed, and the upload is thrown away until the client leaves or the time is over.
        """
        self.refused = True
        logger.info("refused a request: %d %s", error.status, error.code)
        headers, body = _error_response(error)
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.writeSequence([b"HTTP/1.1 %d \r\n" % error.status, *lines, b"\r\n", body])
        self.transport.loseWriteConnection()
        self.setTimeout(LINGER_SECONDS)

    def cut(self, *, delimited: bool) -> None:
        """End the connection in the middle of a response, so that no client takes the response for complete.

        Where the length or the chunks of the response show that it is not over (`delimited`), what was sent before
        still reaches the client; else only a reset tells.
        """
        if delimited:
            self.timeoutConnection()
        else:
            self.forceAbortClient()


class Request(WebRequest):  # type: ignore[misc]  # Daphne is untyped
    """One request and its response."""

    server: Server
    channel: Channel | None

    def __init__(self, channel: Channel, queued: object) -> None:
        """Twisted parses each form into `args`, which nobody reads, at the cost of a second copy of the body."""
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """Twisted sets no limit, and writes a body over 100 kB, which may be a prompt, to a file in `/tmp`."""
        if length is not None and length > self.server.max_body_bytes:
            raise self._too_large()
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """The limit for bodies that do not tell their length."""
        if self.content.tell() + len(data) > self.server.max_body_bytes:
            raise self._too_large()
        super().handleContentChunk(data)

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"The request's body exceeds {self.server.max_body_bytes} bytes.")

    def process(self) -> Any:
        """Daphne starts applications during a stop, and lets every client set `root_path` by a header."""
        if self.server.draining:
            return self._fail(self._apology())
        self.requestHeaders.removeHeader(b"daphne-root-path")
        processed = super().process()
        if self.transport is None:  # Daphne has given the connection to a WebSocket.
            self.server.http_factory.channels.discard(self.channel)
        return processed

    def handle_reply(self, message: Message) -> None:
        """Where HTTP allows no body, Daphne drops its first piece only: a client takes the others for a response."""
        if self.method == b"HEAD" or self.code in NO_BODY_CODES:
            message = {**message, "body": b""}
        super().handle_reply(message)

    async def drained(self) -> None:
        """Wait until the client has read enough, or has gone."""
        if not self.finished and self.channel is not None and not self.channel.writable.is_set():
            await self.channel.writable.wait()

    def handle_exception(self, exception: BaseException | None) -> None:
        """The application has ended without ending its response.

        Daphne raises here when the response has started, which ends its checker of applications for good, and does
        nothing when the application has simply returned: either way the client waits for ever.
        """
        self._fail(self._apology())

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Daphne answers in HTML, which API clients cannot read."""
        self._fail(InvalidRequest(body) if status == InvalidRequest.status else self._apology())

    def _apology(self) -> GatewayError:
        if self.server.draining:
            return ShuttingDown("The gateway is restarting. Try again in a few seconds.")
        return GatewayError("The gateway failed to answer this request.")

    def _fail(self, error: GatewayError) -> None:
        """Answer with `error` if nothing has left yet, else end the connection so that the cut is seen."""
        if self.finished or self.channel is None:
            return
        if self.startedWriting:
            delimited = bool(self.chunked) or self.responseHeaders.hasHeader(b"content-length")
            self.channel.cut(delimited=delimited)
        else:
            self._answer(error, self.channel)

    def _answer(self, error: GatewayError, channel: Channel) -> None:
        headers, body = _error_response(error)
        channel.persistent = False
        self.responseHeaders = Headers()
        self._response_started = False
        self.handle_reply({"type": "http.response.start", "status": error.status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": body})


class Factory(HTTPFactory):  # type: ignore[misc]  # Daphne is untyped
    """Builds channels, and knows those that are open."""

    protocol = Channel
    server: Server

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.channels: set[Channel] = set()

    def buildProtocol(self, addr: object) -> Channel:  # noqa: N802
        channel: Channel = super().buildProtocol(addr)
        channel.requestFactory = Request  # type: ignore[assignment]  # Daphne is untyped
        return channel


class Server(daphne.server.Server):  # type: ignore[misc]  # Daphne is untyped
    """One process: opens the port, runs an application for each request, drains on a signal."""

    connections: dict[Any, dict[str, Any]]

    def __init__(
        self,
        application: Application,
        *,
        host: str,
        port: int,
        max_body_bytes: int,
        drain_seconds: float,
        lifespan: Lifespan,
        on_listening: Callable[[int], None],
    ) -> None:
        super().__init__(
            application,
            endpoints=build_endpoint_description_strings(host=host, port=port),
            # One message holds a whole body: at Daphne's 8 KiB a body of 1 MB costs eight times the CPU.
            request_buffer_size=max_body_bytes + 1,
            application_close_timeout=APPLICATION_CLOSE_SECONDS,
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            server_name="",
        )
        self.max_body_bytes = max_body_bytes
        self.drain_seconds = drain_seconds
        self.lifespan = lifespan
        self.on_listening = on_listening
        self.connections = {}
        self.draining = False
        self._stopping = asyncio.Event()
        self._patience: asyncio.Timeout | None = None

    # Start and stop

    def run(self) -> None:
        """Daphne listens before the loop runs, has no lifespan, drops Twisted's errors, and cancels on a signal."""
        asyncio.set_event_loop(_loop)
        _loop.set_exception_handler(_log_loop)
        globalLogBeginner.beginLoggingTo([_log_twisted], redirectStandardIO=False, discardBuffer=True)  # type: ignore[list-item]
        self.http_factory = Factory(self)
        self.ws_factory = WebSocketFactory(self, server=self.server_name)
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        main = _loop.create_task(self._main())
        main.add_done_callback(lambda _main: _reactor.stop())
        # Twisted's own handling of signals would take the wake-up descriptor away from the loop.
        _reactor.run(installSignalHandlers=False)
        main.result()

    async def _main(self) -> None:
        for number in STOP_SIGNALS:
            _loop.add_signal_handler(number, self._on_signal)
        async with self.lifespan():
            port = await self._listen()
            before_requests = asyncio.all_tasks()
            _reactor.callLater(2, self.timeout_checker)
            self.on_listening(port.getHost().port)
            try:
                await self._stopping.wait()
            finally:
                await self._drain(port)
                await _cancel(asyncio.all_tasks() - before_requests)
                await self._close_connections()
        await _settle({_loop.create_task(_loop.shutdown_asyncgens())})

    async def _listen(self) -> Any:
        endpoint = serverFromString(_reactor, f"{self.endpoints[0]}:backlog={BACKLOG}")
        return await endpoint.listen(self.http_factory).asFuture(_loop)

    def _on_signal(self) -> None:
        """First: drain. Second: no more patience. Third: the default action, which ends the process."""
        if not self._stopping.is_set():
            self._stopping.set()
            return
        self.drain_seconds = 0
        if self._patience is not None:
            self._patience.reschedule(_loop.time())
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    async def _drain(self, port: Any) -> None:
        """Daphne cancels all responses at once, and leaves their own tasks running."""
        self.draining = True
        await port.stopListening().asFuture(_loop)
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketProtocol):
                _end_websocket(protocol)
        logger.info("draining %d requests", len(self._running()))
        await self._wait_patiently()
        await _cancel(self._running(), "shutting down")

    def _running(self) -> set[asyncio.Task[None]]:
        entries = self.connections.values()
        return {entry["application_instance"] for entry in entries if "application_instance" in entry}

    async def _wait_patiently(self) -> None:
        try:
            async with asyncio.timeout(self.drain_seconds) as self._patience:
                if running := self._running():
                    await asyncio.wait(running)
        except TimeoutError:
            logger.warning("the drain is over: cancelling %d requests", len(self._running()))
        finally:
            self._patience = None

    async def _close_connections(self) -> None:
        """Let the last bytes out: Twisted drops what is not sent when its reactor stops."""
        for protocol in list(self.connections):
            protocol.handle_exception(None)
        channels = list(self.http_factory.channels)
        for channel in channels:
            channel.loseConnection()
        await _settle([channel.closed for channel in channels])

    # Applications: Daphne looks once a second for those that have ended, until an exception ends the looking.

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> asyncio.Queue[Message] | None:
        """Hear of an application's end when it ends."""
        queue: asyncio.Queue[Message] | None = super().create_application(protocol, scope)
        task = self.connections[protocol]["application_instance"]
        task.add_done_callback(partial(self._application_ended, protocol))
        return queue

    async def handle_reply(self, protocol: Any, message: Message) -> None:
        """The application's `send`. Daphne's returns at once, however much waits for a slow reader."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, Request):
            await protocol.drained()

    def protocol_disconnected(self, protocol: Any) -> None:
        """The response is complete or the client has gone. Daphne raises when a WebSocket says so twice."""
        entry = self.connections.get(protocol)
        if entry is None or "disconnected" in entry:
            return
        if "application_instance" not in entry:
            del self.connections[protocol]
            return
        super().protocol_disconnected(protocol)
        entry["kill"] = _loop.call_later(self.application_close_timeout, _kill, entry["application_instance"])

    def _application_ended(self, protocol: Any, task: asyncio.Task[None]) -> None:
        entry = self.connections[protocol]
        del entry["application_instance"]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log_error("exception inside application", error)
        if "disconnected" in entry:
            entry["kill"].cancel()
            del self.connections[protocol]
        else:
            protocol.handle_exception(error)


def _kill(application: asyncio.Task[None]) -> None:
    logger.warning("an application took too long after its client had gone, and was cancelled")
    application.cancel()


def _end_websocket(protocol: WebSocketProtocol) -> None:
    if protocol.state == protocol.STATE_OPEN:
        protocol.sendCloseFrame(code=GOING_AWAY)
    elif hasattr(protocol, "handshake_deferred"):
        protocol.serverReject()


async def _cancel(tasks: set[asyncio.Task[Any]], message: str | None = None) -> None:
    for task in tasks:
        task.cancel(message)
    await _settle(tasks)


async def _settle(futures: Collection[asyncio.Future[Any]]) -> None:
    """Wait until all have ended, or `CLEANUP_SECONDS`."""
    if futures:
        await asyncio.wait(futures, timeout=CLEANUP_SECONDS)


def _error_response(error: GatewayError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of an error that no application answers, in the shape of the API's own."""
    body = json.dumps(error.body()).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": uuid.uuid4().hex,
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "x-request-id, retry-after, x-should-retry",
        **error.headers(),
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


def _log_error(what: str, error: BaseException) -> None:
    """Type and stack: the message of an exception may hold a prompt."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", what, type(error).__qualname__, stack)


def _log_twisted(event: dict[str, Any]) -> None:
    failure = event.get("log_failure")
    if failure is not None:
        _log_error("exception inside Twisted", failure.value)


def _log_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        logger.error("%s", context["message"])
    else:
        _log_error(context["message"], error)
