"""The two hosts of the simulated school, which share one port so that cross-origin things are real."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.settings import Generation


@dataclass(frozen=True)
class Addresses:
    """URLs of the portal (`127.0.0.1`) and of the sign-on (`localhost`)."""

    port: int

    @property
    def portal(self) -> str:
        """The portal's origin, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sign_on(self) -> str:
        """The sign-on's origin, without a slash at the end."""
        return f"http://localhost:{self.port}"

    def api(self, wire: Generation) -> str:
        """The API base to which `/chat/config` is appended: another origin in 2025, the portal's in 2026."""
        return f"{self.sign_on}/api" if wire == "2025" else f"{self.portal}/jmapi/api"
