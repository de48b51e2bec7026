"""The simulated school, as a test steers and inspects it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

USERNAME = "San.Zhang24"
PASSWORD = "demo-password"
MODEL = "qwen3.6-27b"


class School:
    """A running simulator. `url` ends with a slash."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}_sim/", trust_env=False, timeout=150)

    def reset(self, **settings: Any) -> None:
        self.post("reset")
        self.settings(**settings)

    def settings(self, **settings: Any) -> None:
        self.post("settings", settings)

    @contextmanager
    def slow_sign_on(self) -> Iterator[None]:
        """A login that begins comes as far as the sign-on, and from there only at the end of the block."""
        self.settings(sign_on_waits=True)
        try:
            yield
        finally:
            self.settings(sign_on_waits=False)

    def fault(self, name: str, *, call: str = "*", times: int | None = 1, **more: Any) -> None:
        self.post("faults", {"name": name, "call": call, "times": times, **more})

    def clear_faults(self) -> None:
        self._http.delete("faults").raise_for_status()

    def token(self, user: str = USERNAME) -> dict[str, Any]:
        """An upstream token without a browser, as `import_token` takes it."""
        return dict(self.post(f"users/{user}/token"))

    def revoke(self, user: str = USERNAME, *, tokens: bool = True, sign_on: bool = False) -> None:
        self.post(f"users/{user}/revoke", {"tokens": tokens, "sign_on": sign_on})

    def add_user(self, user: str, password: str = PASSWORD) -> None:
        self.post("users", {"username": user, "password": password})

    def add_sessions(self, count: int, user: str = USERNAME, name: str = "made by hand") -> None:
        self.post(f"users/{user}/sessions", {"count": count, "name": name})

    def release(self) -> None:
        self.post("release")

    def user(self, user: str = USERNAME) -> dict[str, Any]:
        """Its sessions, calls with their times, smallest gap, password tries and so on."""
        return dict(self._http.get("state").raise_for_status().json()["users"][user])

    def calls(self, user: str = USERNAME) -> list[str]:
        """The names of the calls that the school has seen, in order."""
        return [call["call"] for call in self.user(user)["calls"]]

    def sessions(self, user: str = USERNAME) -> list[dict[str, Any]]:
        return list(self.user(user)["sessions"])

    def prompts(self, user: str = USERNAME) -> list[str]:
        return [completion["text"] for completion in self.user(user)["completions"]]

    def wait(self, *, call: str, count: int = 1, user: str = USERNAME) -> None:
        """Until the school has seen `call` so many times."""
        query: dict[str, str | int] = {"user": user, "call": call, "count": count, "timeout": 25}
        self._http.get("wait", params=query).raise_for_status()

    def post(self, path: str, body: Any = None) -> Any:
        response = self._http.post(path, json=body or {})
        assert response.is_success, f"{path}: {response.text}"
        return response.json() if response.content else None
