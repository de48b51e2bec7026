"""What the simulated school knows, in memory and without I/O."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator import tokens
from simulator.addresses import Addresses
from simulator.faults import Faults
from simulator.settings import Check, Settings
from simulator.signals import Signal

MAX_WRONG_PASSWORDS = 5
TICKET_SECONDS = 60.0


class SessionFields(msgspec.Struct, rename="camel", kw_only=True):
    """What a client sets on a chat session; a create names at least the fields without a default."""

    name: str
    model: str
    temperature: float
    max_token: int
    presence_penalty: float
    frequency_penalty: float
    prompt: str | None = ""
    context_count: int = 5
    top_sort: int = 0


@dataclass
class Session:
    """One chat session of the school, of which a user may have 50."""

    id: int
    fields: SessionFields
    created: float
    updated: float
    turns: list[tuple[str, str]] = field(default_factory=list)
    open_streams: int = 0
    stream_ended_at: float | None = None

    def public(self) -> dict[str, Any]:
        """Return the session as `chat/session` lists it."""
        fields = msgspec.to_builtins(self.fields)
        return {"id": self.id, **fields, "created": _text_of(self.created), "updated": _text_of(self.updated)}

    def is_busy(self, now: float, grace: float) -> bool:
        """Tell whether a stream is open or ended less than `grace` seconds ago."""
        if self.open_streams:
            return True
        return self.stream_ended_at is not None and now - self.stream_ended_at < grace


@dataclass
class Call:
    """One API call of a user; `at` is the arrival of its first byte in Unix seconds."""

    at: float
    call: str
    status: str = "ok"
    session_id: int | None = None


@dataclass
class User:
    """One person at the school, with all that was counted about them."""

    username: str
    password: str
    check: Check | None = None
    locked: bool = False
    wrong_passwords: int = 0
    password_tries: int = 0
    sms_sent: int = 0
    second_factor_code: str | None = None
    image_code: str | None = None
    slider_target: int | None = None
    sessions: dict[int, Session] = field(default_factory=dict)
    peak_sessions: int = 0
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=10_000))
    allowed_at: float | None = None
    smallest_gap_seconds: float | None = None
    too_fast: int = 0
    uploads: list[dict[str, Any]] = field(default_factory=list)
    completions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=200))

    def note_call(self, call: Call) -> None:
        """Append `call` and keep the smallest gap between two arrivals."""
        if self.calls:
            gap = call.at - self.calls[-1].at
            self.smallest_gap_seconds = min(gap, self.smallest_gap_seconds or gap)
        self.calls.append(call)

    def may_call(self, at: float, least_gap: float) -> bool:
        """Tell whether a call at `at` comes late enough; only a call that does moves the clock of the limit."""
        if self.allowed_at is not None and at - self.allowed_at < least_gap:
            self.too_fast += 1
            return False
        self.allowed_at = at
        return True

    def add_session(self, session: Session) -> None:
        """Keep `session` and the most that there were at once."""
        self.sessions[session.id] = session
        self.peak_sessions = max(self.peak_sessions, len(self.sessions))


@dataclass
class Grant:
    """What one sign-on gives: a portal session (cookie) and its token. They live and die together."""

    username: str
    jm_token: str
    sdp_app_session: str
    portal_session: str
    used_at: float
    revoked: bool = False


@dataclass
class SignOnSession:
    """A browser that the sign-on remembers by its two cookies."""

    username: str
    tgc: str
    uim_session: str
    expires_at: float


@dataclass
class PendingFactor:
    """A sign-on whose password was right and whose second factor is still asked for."""

    username: str
    service: str


@dataclass
class Ticket:
    """The one-time proof that the sign-on hands to the portal through the browser."""

    username: str
    service: str
    expires_at: float


class School:
    """The whole state. `changed` fires whenever something happened that a watcher may wait for."""

    def __init__(self, addresses: Addresses, users: Iterable[tuple[str, str]], settings: Settings) -> None:
        self.addresses = addresses
        self.changed = Signal()
        self.released = Signal()
        self.held = 0
        self._first_users = list(users)
        self._first_settings = settings
        self._key = secrets.token_bytes(32)
        self._last_session_id = 483_000
        self.reset()

    def reset(self) -> None:
        """Return to the state at the start; session ids are never given twice."""
        self.settings = self._first_settings
        self.users = {name: User(name, password) for name, password in self._first_users}
        self.faults = Faults()
        self.grants: dict[str, Grant] = {}
        self.portal_sessions: dict[str, Grant] = {}
        self.sign_on_sessions: dict[str, SignOnSession] = {}
        self.pending_factors: dict[str, PendingFactor] = {}
        self.tickets: dict[str, Ticket] = {}
        self.released.fire()
        self.changed.fire()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Count somebody who is held in `held`."""
        self.held += 1
        self.changed.fire()
        try:
            yield
        finally:
            self.held -= 1
            self.changed.fire()

    async def sign_on_answers(self) -> None:
        """Return as soon as the sign-on answers browsers."""
        if self.settings.sign_on_waits:
            with self.holding():
                while self.settings.sign_on_waits:
                    await self.changed.wait()

    def check_for(self, user: User) -> Check:
        """Return the check that `user` meets at the sign-on: their own, else everybody's."""
        return user.check or self.settings.check

    # Grants

    def grant(self, username: str) -> Grant:
        """Issue a token and a portal session for `username`."""
        if self.settings.single_token:
            self.revoke_grants(username)
        now = time.time()
        claims = {
            "sub": username,
            "username": username,
            "jti": secrets.token_hex(8),
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.settings.token_lifetime_seconds),
        }
        grant = Grant(
            username,
            jm_token=tokens.sign(claims, self._key),
            sdp_app_session=secrets.token_hex(16),
            portal_session=secrets.token_hex(16),
            used_at=now,
        )
        self.grants[grant.jm_token] = grant
        self.portal_sessions[grant.portal_session] = grant
        return grant

    def is_alive(self, grant: Grant, now: float) -> bool:
        """Tell whether the token of `grant` is neither revoked, nor expired, nor idle for too long."""
        idle = self.settings.idle_seconds
        if grant.revoked or (idle is not None and now - grant.used_at > idle):
            return False
        return tokens.verify(grant.jm_token, self._key, now) is not None

    def portal_grant(self, portal_session: str | None) -> Grant | None:
        """Return the living grant whose portal cookie this is."""
        grant = self.portal_sessions.get(portal_session or "")
        return grant if grant is not None and self.is_alive(grant, time.time()) else None

    def live_tokens(self, username: str) -> int:
        """Count the tokens of `username` that still work."""
        now = time.time()
        return sum(grant.username == username and self.is_alive(grant, now) for grant in self.grants.values())

    def revoke_grants(self, username: str) -> None:
        """End every token and portal session of `username`."""
        for grant in self.grants.values():
            if grant.username == username:
                grant.revoked = True

    # Sign-on

    def remember(self, username: str) -> SignOnSession:
        """Open a sign-on session, by whose cookies a browser gets in without a password."""
        expires_at = time.time() + self.settings.sign_on_session_seconds
        session = SignOnSession(username, f"TGT-{secrets.token_hex(16)}", secrets.token_hex(16), expires_at)
        self.sign_on_sessions[session.tgc] = session
        return session

    def remembered(self, tgc: str | None, uim_session: str | None) -> SignOnSession | None:
        """Return the living sign-on session to which both cookies belong."""
        session = self.sign_on_sessions.get(tgc or "")
        if session is None or session.uim_session != uim_session or session.expires_at <= time.time():
            return None
        return session

    def forget(self, username: str) -> None:
        """Revoke the sign-on sessions of `username`."""
        kept = {tgc: s for tgc, s in self.sign_on_sessions.items() if s.username != username}
        self.sign_on_sessions = kept

    def ticket(self, username: str, service: str) -> str:
        """Issue a one-time ticket for `service`."""
        name = f"ST-{secrets.token_hex(12)}"
        self.tickets[name] = Ticket(username, service, time.time() + TICKET_SECONDS)
        return name

    def redeem(self, name: str, service: str) -> str | None:
        """Return the user name of a good ticket, which is spent by this."""
        ticket = self.tickets.pop(name, None)
        if ticket is None or ticket.service != service or ticket.expires_at <= time.time():
            return None
        return ticket.username

    # Chat sessions

    def create_session(self, user: User, fields: SessionFields) -> Session:
        """Create a chat session of `user`; the caller has checked the cap."""
        self._last_session_id += 1
        now = time.time()
        session = Session(self._last_session_id, fields, created=now, updated=now)
        user.add_session(session)
        return session


def _text_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
