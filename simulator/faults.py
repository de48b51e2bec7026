"""Faults that a test orders by name, and the one place where they are handed out."""

from __future__ import annotations

from typing import Literal

import msgspec

CallName = Literal["completions", "saveSession", "delSession", "config", "session", "upload"]
FaultName = Literal[
    "too_fast",
    "token_dead",
    "cap",
    "outage",
    "server_error",
    "malformed",
    "hang",
    "disconnect",
    "disconnect_after_work",
    "plain_json",
    "mid_stream_error",
    "sign_on_too_fast",
]
SHAPES: dict[FaultName, tuple[str, ...]] = {
    "too_fast": ("code", "http", "event"),
    "token_dead": ("http", "code", "http500", "html", "event"),
    "cap": ("code", "event"),
    "outage": ("http",),
    "server_error": ("http",),
}
COMPLETIONS_ONLY: tuple[FaultName, ...] = ("plain_json", "mid_stream_error")


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One ordered fault: it strikes the next `times` calls that match, or every one when `times` is null.

    `status` is the HTTP status of `outage` and `token_dead`; `mid_stream_error` comes as `code` after
    `after` pieces.
    """

    name: FaultName
    shape: str | None = None
    call: CallName | Literal["*", "sign_on"] = "*"
    times: int | None = 1
    user: str | None = None
    status: int | None = None
    code: int = 10008
    after: int = 1

    def __post_init__(self) -> None:
        shapes = SHAPES.get(self.name, ())
        self.shape = self.shape or (shapes[0] if shapes else None)
        if self.shape is not None and self.shape not in shapes:
            raise ValueError(f"{self.name} has the shapes {', '.join(shapes) or 'none'}")
        if self.name in COMPLETIONS_ONLY:
            self.call = "completions"
        if self.name == "sign_on_too_fast":
            self.call = "sign_on"

    def strikes(self, call: str, username: str) -> bool:
        """Tell whether this call of this user is to fail."""
        if self.user not in (None, username):
            return False
        return self.call == call or (self.call == "*" and call != "sign_on")


class Faults:
    """The faults that still wait, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Order one more fault."""
        self.waiting.append(fault)

    def take(self, call: str, username: str) -> Fault | None:
        """Return the fault that strikes this call, and count it."""
        fault = next((fault for fault in self.waiting if fault.strikes(call, username)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
        return fault
