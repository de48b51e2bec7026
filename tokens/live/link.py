"""A live login's way to the web process: the worker dials it, pictures go out, the person's acts come in.

Selenium is not thread safe: a thread receives into a bounded queue, and the login's own loop takes from it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from tokens.errors import PersonLeft
from tokens.live import wire as live_wire
from tokens.live.wire import DIAL_HEADER, Act, Here, Said, Stop

log = structlog.get_logger(__name__)
# At DEBUG the library prints each message: what a person types, a password perhaps.
_quiet = logging.getLogger("tokens.live.asking")
_quiet.setLevel(logging.WARNING)

OPEN_SECONDS = 10
CLOSE_SECONDS = 2
WAITING_ACTS = 200
FIRST_VIEW_SECONDS = 20.0
AWAY_SECONDS = 10.0

BROKE = "The live view's connection broke."
STOPPED = "The person who asked for this login stopped it."
NOBODY = "Nobody opened the live view of this login."
AWAY = "The person who watched this login has left it."


@contextmanager
def dialled(url: str, secret: str) -> Iterator[Link]:
    """A link for the body. The secret opens it once. Raises `PersonLeft` where the web process does not answer."""
    try:
        # Not through a proxy of the environment: the web process is near, and the secret is its affair alone.
        connection = connect(
            url,
            additional_headers={DIAL_HEADER: secret},
            proxy=None,
            compression=None,
            max_size=live_wire.MAX_ACT_BYTES,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            logger=_quiet,
        )
    except (OSError, InvalidHandshake, InvalidURI):
        raise PersonLeft(BROKE) from None
    with connection:
        yield Link(connection)


class Link:
    """`take`, `show` and `say` are for the login's thread. They raise `PersonLeft` once there is nobody to talk to."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._acts: queue.Queue[Act] = queue.Queue(WAITING_ACTS)
        self._heard_at = time.monotonic()
        self._patience = FIRST_VIEW_SECONDS
        self._end = ""
        self._stopped: Callable[[], None] = lambda: None
        self._is_new = threading.Event()
        threading.Thread(target=self._receive, name="live", daemon=True).start()

    def take(self, seconds: float) -> Act | None:
        """The person's next act, waited for at most so long."""
        self._check()
        try:
            return self._acts.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def show(self, picture: bytes) -> None:
        self._send(picture)

    def say(self, said: Said) -> None:
        self._send(live_wire.encode(said).decode())

    def _send(self, message: bytes | str) -> None:
        try:
            self._connection.send(message)
        except ConnectionClosed:
            raise PersonLeft(self._end or BROKE) from None

    def on_stop(self, stopped: Callable[[], None]) -> None:
        """What the person's stop does at once, on a thread of the link's own: the login's may wait for a busy page."""
        self._stopped = stopped

    @property
    def end(self) -> str:
        """Why there is nobody to talk to any more; "" while there is."""
        return self._end

    def has_new_viewer(self) -> bool:
        """Whether a page without a picture has come since this was last asked."""
        is_new = self._is_new.is_set()
        self._is_new.clear()
        return is_new

    def _check(self) -> None:
        if self._end:
            raise PersonLeft(self._end)
        if time.monotonic() - self._heard_at > self._patience:
            raise PersonLeft(NOBODY if self._patience == FIRST_VIEW_SECONDS else AWAY)

    def _receive(self) -> None:
        try:
            for message in self._connection:
                self._on(live_wire.decode(message))
        except msgspec.DecodeError:
            # Our own web process has looked at every act: this is not it.
            self._connection.close()
        except ConnectionClosed as error:
            log.info("the way to a live login's page broke", code=error.rcvd.code if error.rcvd else None)
        finally:
            self._end = self._end or BROKE

    def _on(self, act: Act) -> None:
        match act:
            case Here():
                self._heard_at = time.monotonic()
                self._patience = AWAY_SECONDS
                if act.new:
                    self._is_new.set()
            case Stop():
                self._end = STOPPED
                self._stopped()
            case _ if not self._acts.full():
                self._acts.put_nowait(act)
            case _:
                # A person who is that far ahead of Chrome loses acts rather than to see them happen much later.
                return
