"""What a login brings home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, repr=False)
class Capture:
    """A fresh upstream token and what goes with it.

    `api_url` is the base to which `/chat/config` is appended; `cookies` are those that a browser would send there;
    `sdp_app_session` is "" where the page sends none; `origin` is the chat page's. `sign_on_cookies` are given to the
    next login's browser as they are.
    """

    jm_token: str
    sdp_app_session: str
    cookies: dict[str, str]
    api_url: str
    user_agent: str
    origin: str
    sign_on_cookies: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"Capture(api_url={self.api_url!r})"
