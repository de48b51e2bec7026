"""The HTTP server: uvicorn, with two things that ASGI does not tell."""

from __future__ import annotations

import contextlib
import socket
import time

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.app import create_app
from simulator.state import School


class _Protocol(HttpToolsProtocol):
    """Adds to a request's state its arrival (Unix seconds) and its transport, which alone can close."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["arrived_at"] = time.time()
        self.scope["state"]["transport"] = self.transport


class _Server(uvicorn.Server):
    """Says on standard output that it listens, and closes open streams instead of waiting for their end."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(self._ready, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in self.server_state.connections:
            connection.transport.close()
        await super().shutdown(sockets=sockets)


def listen(host: str, port: int) -> list[socket.socket]:
    """Open the sockets: `host`, and `::1` where there is IPv6, for `localhost` may mean either."""
    first = socket.create_server((host, port))
    sockets = [first]
    try:
        sockets.append(socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6))
    except OSError:
        # Without IPv6 a browser falls back to the first socket.
        return sockets
    return sockets


def serve(school: School, sockets: list[socket.socket], *, verbose: bool) -> None:
    """Serve until SIGTERM or SIGINT, which end open streams at once."""
    config = uvicorn.Config(
        create_app(school),
        http=_Protocol,
        log_level="info" if verbose else "error",
        access_log=verbose,
        timeout_graceful_shutdown=10,
    )
    # Ctrl-C ends it as SIGTERM does, without a trace.
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, f"simulator ready on {school.addresses.portal}/").run(sockets=sockets)
