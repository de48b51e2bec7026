"""An ASGI application with one path for each way to behave, and a runner: `python -m tests.gateway.server_apps`.

The runner prints `listening PORT`, then what the applications have to tell, a line each, on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Any  # a callable; `/connections` looks behind it

MEGABYTE = 1024 * 1024
PROMPT = "a secret prompt"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
background: set[asyncio.Task[None]] = set()


def tell(line: str) -> None:
    print(line, flush=True)


def piece(text: str | bytes, more: bool = True) -> dict[str, Any]:
    body = text.encode() if isinstance(text, str) else text
    return {"type": "http.response.body", "body": body, "more_body": more}


async def answer(send: Send, text: str) -> None:
    await send(START)
    await send(piece(text, more=False))


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, "hello")


async def connections(scope: Scope, receive: Receive, send: Send) -> None:
    """How many requests the server knows, this one included."""
    await answer(send, str(len(send.func.__self__.connections)))


async def loop(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, type(asyncio.get_running_loop()).__module__)


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, f"{scope['client'][0]} {scope['scheme']} root={scope['root_path']}")


async def length(scope: Scope, receive: Receive, send: Send) -> None:
    sizes = []
    more = True
    while more:
        message = await receive()
        sizes.append(len(message["body"]))
        more = message["more_body"]
    await answer(send, f"{sum(sizes)} bytes in {len(sizes)} messages")


async def two_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(piece("one"))
    await send(piece("two", more=False))


async def after_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    """Goes on after its response, as one does that closes its records."""
    await receive()
    await answer(send, "hello")
    tell((await receive())["type"])
    await asyncio.sleep(0)
    tell("closed the records")


async def crash_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError(PROMPT)


async def crash_before_a_byte(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    raise RuntimeError(PROMPT)


async def crash_later(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(piece("some"))
    raise RuntimeError(PROMPT)


async def return_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def return_early(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await send(piece("some"))


async def wrong_headers(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [("text", "text")]})


async def watch(scope: Scope, receive: Receive, send: Send) -> None:
    """Streams until its client leaves."""
    await receive()
    await send(START)
    await send(piece("first"))
    tell((await receive())["type"])


async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not care for its client; only cancelling ends it."""
    await send(START)
    await send(piece("first"))
    try:
        await asyncio.Event().wait()
    finally:
        tell("stubborn was cancelled")


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """Survives the first cancelling."""
    try:
        await stubborn(scope, receive, send)
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def says_goodbye(scope: Scope, receive: Receive, send: Send) -> None:
    """Writes an error frame when it is cancelled."""
    await send(START)
    await send(piece("first"))
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as reason:
        await send(piece(f"goodbye: {reason}", more=False))


async def detached(scope: Scope, receive: Receive, send: Send) -> None:
    """Leaves a task behind."""
    background.add(asyncio.create_task(left_over()))
    await asyncio.sleep(0)
    await answer(send, "hello")


async def left_over() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        tell("left-over task cancelled")


async def is_waiting(sending: asyncio.Task[None]) -> bool:
    """Asks several times: after a pause of the whole process, one timer alone would speak too soon."""
    for _ in range(4):
        if (await asyncio.wait({sending}, timeout=0.1))[0]:
            return False
    return True


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """64 MB, faster than anyone reads; tells when `send` waits and when it goes on."""
    await send(START)
    for megabytes in range(64):
        sending = asyncio.create_task(send(piece(bytes(MEGABYTE))))
        if await is_waiting(sending):
            tell(f"waiting after {megabytes} MB")
            await sending
            break
    tell("went on")
    await send(piece("end", more=False))


def django_application() -> Any:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    def unhurried() -> Iterator[str]:
        tell("django streams")
        for _ in range(20):
            yield "line\n"
            time.sleep(0.05)

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "line\n"
            await asyncio.sleep(0.01)

    class Urls:
        urlpatterns = (
            path("django/sync", lambda request: StreamingHttpResponse(unhurried())),
            path("django/async", lambda request: StreamingHttpResponse(endless())),
        )

    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=Urls, MIDDLEWARE=[])
    return get_asgi_application()


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["text"] == "crash":
            raise RuntimeError(PROMPT)
        await send({"type": "websocket.send", "text": message["text"]})
    tell(f"websocket closed with {message['code']}")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """`/crash-later` is `crash_later` above, and so on."""
    if scope["type"] == "websocket":
        await websocket(scope, receive, send)
    elif scope["path"].startswith("/django"):
        await django_application()(scope, receive, send)
    else:
        await globals()[scope["path"].strip("/").replace("-", "_")](scope, receive, send)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    own = asyncio.create_task(asyncio.Event().wait())
    tell("lifespan entered")
    try:
        yield
    finally:
        tell(f"lifespan left, own task {'cancelled' if own.done() else 'alive'}")
        own.cancel()
        await asyncio.wait({own})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--max-body-bytes", type=int, default=8 * MEGABYTE)
    parser.add_argument("--drain-seconds", type=float, default=60)
    parser.add_argument("--constants", nargs="*", default=[], help="of gateway.server, as NAME=SECONDS")
    parser.add_argument("--without-uvloop", action="store_true")
    options = parser.parse_args()
    if options.without_uvloop:
        sys.modules["uvloop"] = None  # type: ignore[assignment]

    from gateway import server

    for constant in options.constants:
        name, seconds = constant.split("=")
        setattr(server, name, float(seconds))
    server.serve(
        application,
        host="127.0.0.1",
        port=options.port,
        max_body_bytes=options.max_body_bytes,
        drain_seconds=options.drain_seconds,
        lifespan=lifespan,
        on_listening=lambda port: tell(f"listening {port}"),
    )
    tell("stopped")


if __name__ == "__main__":
    main()
