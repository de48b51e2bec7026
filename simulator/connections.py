"""Responses that end, or never end, in a way that HTTP does not intend."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.stream import disconnected


class Disconnect(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close, and wait until it is closed, so that the server adds nothing."""
        scope["state"]["transport"].close()
        await disconnected(receive)


class Hang(Response):
    """Never answers; returns when the client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait."""
        await disconnected(receive)
