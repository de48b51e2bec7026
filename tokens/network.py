"""What a login reads off the browser's network: requests that carry a token, and the sign-on's answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.bidi.network import ResponseCompletedParameters
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.refusals import PASSED_CODES
from tokens.selectors import SIGN_ON_CALLS

API_CALL = re.compile(
    r"^(?P<base>.+?)/(?:chat/(?:config|session|saveSession|delSession|completions)|common/upload)/?(?:[?#]|$)"
)
"""The calls of the protocol page. What stands before them is the API base, whatever host and prefix that is."""

CHAT_CALL = re.compile(r"^(?P<base>.+?/api)/[a-z]\w*/\w+(?:[?#]|$)", re.IGNORECASE)
"""Any other call under an `/api` prefix, for a request that carries a token and is none of the known calls."""

MAX_ANSWER_BYTES = 200_000
NO_TOKENS = {"", "null", "undefined"}


@dataclass(frozen=True)
class Request:
    """A request that the browser made; `at` in Unix seconds. `headers` (lower case) only where they hold a token."""

    at: float
    url: str
    is_document: bool
    headers: Mapping[str, str] = field(repr=False)
    seen_at: float = field(default_factory=time.monotonic)

    @property
    def token(self) -> str:
        token = self.headers.get("jm-token", "").strip()
        return "" if token.lower() in NO_TOKENS else token

    @property
    def api_base(self) -> str | None:
        return api_base(self.url) or (_general_base(self.url) if self.token else None)


@dataclass(frozen=True)
class Answer:
    """A sign-on call's answer; `code` and `text` are "" where the body could not be read. HTTP status 429 is a code."""

    code: str = ""
    text: str = field(default="", repr=False)
    redirect: bool = False

    @property
    def passed(self) -> bool:
        return self.redirect or self.code in PASSED_CODES


def api_base(url: str) -> str | None:
    """Return the URL up to and without `/chat/config` or another of the school's calls; None for any other URL."""
    match = API_CALL.match(url)
    return match["base"] if match else None


def _general_base(url: str) -> str | None:
    match = CHAT_CALL.match(url)
    return match["base"] if match else None


class Network:
    """Notes the browser's requests of all its pages, frames and workers, without holding any of them up.

    Selenium hands over each event on a thread of its own, so events come in any order: the browser's own times order
    them. Cross-origin preflights are the browser's affair and are not noted.
    """

    def __init__(self, driver: WebDriver) -> None:
        self._driver = driver
        self._requests: list[Request] = []
        self._answered: list[tuple[str, int]] = []
        self._reported: set[int] = set()

    def listen(self) -> None:
        """Begin to take notes. Raises WebDriverException."""
        self._driver.network.add_event_handler("before_request", self._on_request)
        self._driver.network.add_event_handler("response_completed", self._on_response)
        try:
            self._driver.network.add_data_collector(data_types=["response"], max_encoded_data_size=MAX_ANSWER_BYTES)
        except WebDriverException:
            # Older Chromes keep no bodies: then the sign-on's text alone says how a login went.
            return

    def _on_request(self, event: Mapping[str, Any]) -> None:
        request = event["request"]
        if request["method"] == "OPTIONS":
            return
        headers = {header["name"].lower(): str(header["value"].get("value", "")) for header in request["headers"]}
        kept = headers if "jm-token" in headers else {}
        is_document = event.get("navigation") is not None
        self._requests.append(Request(event["timestamp"] / 1000, request["url"], is_document, kept))

    def _on_response(self, event: ResponseCompletedParameters) -> None:
        request, response = event.request or {}, event.response or {}
        path = urlsplit(request["url"]).path.lower()
        is_call = request["method"] == "POST" and any(call in path for call in SIGN_ON_CALLS)
        if is_call or (response["status"] == 429 and event.navigation is not None):
            self._answered.append((request["request"], response["status"]))

    @property
    def requests(self) -> Sequence[Request]:
        """All of them, in the order in which they were heard of."""
        return self._requests

    @property
    def answers(self) -> int:
        """How many sign-on calls were answered so far."""
        return len(self._answered)

    def answer(self, *, after: int) -> Answer | None:
        """Return the newest sign-on answer, if it came after the first `after` of them."""
        if len(self._answered) <= after:
            return None
        request, status = self._answered[-1]
        return _read_answer(self._body(request), status)

    def _body(self, request: str) -> str:
        try:
            data = self._driver.network.get_data(data_type="response", request=request)
        except WebDriverException:
            # The browser drops the bodies of a page that it has left: then the next page says how it went.
            return ""
        return str(data["bytes"]["value"])

    def token_requests(self) -> list[Request]:
        """Return the requests that carried a token to an API, in the order in which they were made."""
        return [request for request in self._ordered() if request.token and request.api_base]

    def seen_api_base(self) -> str | None:
        """Return the API base of the newest request that looks like one of the school's calls, token or not."""
        return next((base for request in reversed(self._ordered()) if (base := request.api_base)), None)

    def new_api_calls(self) -> list[float]:
        """Return the times (Unix seconds) of the API calls that were noted since this was last asked."""
        requests = list(enumerate(self._requests))
        bases = {base for _, request in requests if (base := request.api_base)}
        new = {index: request.at for index, request in requests if _is_under(request.url, bases)}
        times = sorted(at for index, at in new.items() if index not in self._reported)
        self._reported |= set(new)
        return times

    def page_origins(self) -> set[tuple[str, int]]:
        """Return host and port of all pages that were opened or redirected through."""
        return {host_and_port(request.url) for request in self._ordered() if request.is_document}

    def _ordered(self) -> list[Request]:
        return sorted(self._requests, key=lambda request: request.at)


def _is_under(url: str, bases: set[str]) -> bool:
    return any(url.startswith(f"{base}/") for base in bases)


def _read_answer(body: str, status: int) -> Answer:
    if status == 429:
        return Answer("429")
    try:
        answer = json.loads(body)
    except ValueError:
        return Answer()
    if not isinstance(answer, dict):
        return Answer()
    data = answer.get("data")
    redirect = isinstance(data, dict) and bool(data.get("redirect"))
    return Answer(str(answer.get("code", "")), str(answer.get("msg") or ""), redirect)


def host_and_port(url: str) -> tuple[str, int]:
    """Return host and port of a URL, the scheme's own port where it names none."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
