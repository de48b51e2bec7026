"""What the tests of the simulator speak through: its control, and the school's API as one of its users."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import httpx

USERNAME = "San.Zhang24"
PASSWORD = "demo-password"


def read_ready_url(process: subprocess.Popen[str]) -> str:
    """Return the portal's URL from the one line that a simulator prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("simulator ready on http://127.0.0.1:"), line
    return line.split()[-1].rstrip("/")


def start(*arguments: str, stderr: int | None = None) -> subprocess.Popen[str]:
    """Start a simulator on a free port."""
    command = [sys.executable, "-m", "simulator", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


@dataclass
class Simulator:
    """The control of a simulator."""

    portal: str
    http: httpx.Client

    @property
    def sign_on(self) -> str:
        return self.portal.replace("127.0.0.1", "localhost")

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(f"{self.portal}/_sim/{path}", json=body).raise_for_status().json()

    def settings(self, **changes: Any) -> None:
        self.post("settings", **changes)

    def fault(self, name: str, **fields: Any) -> None:
        self.post("faults", name=name, **fields)

    def state(self) -> Any:
        return self.http.get(f"{self.portal}/_sim/state").raise_for_status().json()

    def user(self, name: str = USERNAME) -> Any:
        return self.state()["users"][name]

    def wait(self, **query: Any) -> None:
        self.http.get(f"{self.portal}/_sim/wait", params={"timeout": 60, **query}).raise_for_status()


@dataclass
class Member:
    """Somebody with a token, who calls the school's API."""

    http: httpx.Client
    api_url: str
    headers: dict[str, str]
    fields: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "a test",
            "model": "qwen3.6-27b",
            "temperature": 0.5,
            "maxToken": 0,
            "presencePenalty": 0,
            "frequencyPenalty": 0,
        }
    )

    def get(self, path: str) -> httpx.Response:
        return self.http.get(f"{self.api_url}/{path}", params={"lang": "en"}, headers=self.headers)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"{self.api_url}/{path}", json=body, headers=self.headers)

    def create(self, **changes: Any) -> Any:
        answer = self.post("chat/saveSession", {**self.fields, **changes}).json()
        assert answer["code"] == 0, answer
        return answer["data"]

    def complete(self, text: str, session_id: int | None = None, **fields: Any) -> httpx.Response:
        session_id = self.create()["id"] if session_id is None else session_id
        return self.post("chat/completions", {"text": text, "sessionId": session_id, **fields})

    def say(self, text: str, session_id: int | None = None, **fields: Any) -> str:
        """Return the answer's text from its pieces."""
        return "".join(event.get("data", "") for event in pieces(self.complete(text, session_id, **fields)))


def events(response: httpx.Response | str) -> list[Any]:
    """Decode a stream: objects, and `[DONE]` as a text."""
    text = response if isinstance(response, str) else response.text
    found = []
    for frame in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in frame.split("\n") if line.startswith("data:")]
        if lines:
            data = "\n".join(lines)
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


def pieces(response: httpx.Response) -> list[Any]:
    """Return the events with text or reasoning."""
    return [event for event in events(response) if event != "[DONE]" and event.get("type") == "string"]


def member_of(simulator: Simulator, username: str = USERNAME) -> Member:
    """Give `username` a token and return them as a caller."""
    token = simulator.post(f"users/{username}/token")
    headers = {"Jm-Token": token["jm_token"], "Sdp-App-Session": token["sdp_app_session"]}
    if token["cookies"]:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in token["cookies"].items())
    return Member(simulator.http, token["api_url"], {name: value for name, value in headers.items() if value})
