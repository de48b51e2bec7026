"""The school's calls, for one account. Both generations of the school speak them (protocol page).

Every call takes a slot from the gate, and answers with its data or raises one of `gateway.errors`. A call is made once:
whoever wants it repeated after a refusal (SchoolRefused, SchoolUnreachable) calls again, and takes a new slot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from gateway.errors import SchoolError, SchoolMalformed, SchoolRefused, SchoolUnreachable
from gateway.school.catalog import Model, parse_models
from gateway.school.refusals import read_answer
from gateway.school.stream import CompletionStream, Delta
from gateway.school.token import SchoolToken, token_expiry, token_user
from gateway.school.transport import (
    COMPLETION_READ_SECONDS,
    READ_SECONDS,
    Gate,
    Slot,
    exchange,
    make_http,
    read_body,
    received,
    timeouts,
)

__all__ = [
    "CompletionStream",
    "Delta",
    "Gate",
    "Model",
    "SchoolClient",
    "SchoolToken",
    "Session",
    "Slot",
    "make_http",
    "token_expiry",
    "token_user",
]


@dataclass(frozen=True)
class Session:
    """An upstream session. `fields` are all of its fields as the school gave them: an update sends them back."""

    id: int
    name: str
    fields: dict[str, Any] = field(repr=False)


class SchoolClient:
    """One account's calls with one upstream token, over a client of `make_http` that all accounts share."""

    def __init__(self, http: httpx.AsyncClient, token: SchoolToken, *, gate: Gate, lang: str = "en") -> None:
        self._http = http
        self._token = token
        self._gate = gate
        self._lang = lang
        self._base = token.api_url.rstrip("/")

    async def config(self) -> list[Model]:
        """The models that this account may use."""
        return parse_models(await self._get("chat/config"))

    async def list_sessions(self) -> list[Session]:
        """The account's sessions, newest first, the ones made by hand included; without those that cannot be read."""
        sessions = await self._get("chat/session")
        if sessions is None:
            return []
        if not isinstance(sessions, list):
            raise SchoolMalformed("The school's list of sessions cannot be read.")
        return [session for session in map(_session, sessions) if session]

    async def save_session(self, fields: Mapping[str, Any]) -> Session:
        """Updates the session named by "id" (send all of its fields back), or creates one when there is none.

        A creation that ends in SchoolNoAnswer or SchoolMalformed may have happened.
        """
        session = _session(await self._post("chat/saveSession", fields))
        if session is None:
            raise SchoolMalformed("The school did not say which session it saved.")
        return session

    async def delete_sessions(self, ids: Sequence[int]) -> None:
        """Deletes them in one call; makes none for none."""
        if ids:
            await self._post("chat/delSession", {"ids": list(ids)})

    async def upload(self, name: str, content: bytes, content_type: str) -> str:
        """Stores a picture with the school and returns its URL, for the `files` of a completion."""
        request = self._request(
            "POST",
            "common/upload",
            data={"accept": "image", "lang": self._lang},
            files={"file": (name, content, content_type)},
        )
        answer = await self._data(request)
        url = (answer.get("url") or answer.get("file_url")) if isinstance(answer, dict) else None
        if not isinstance(url, str):
            raise SchoolMalformed("The school did not say where it stored the file.")
        return url

    def completions(
        self,
        *,
        session_id: int,
        text: str,
        files: Sequence[str] = (),
        online: bool = False,
        thinking: str | None = None,
    ) -> AbstractAsyncContextManager[CompletionStream]:
        """Sends a prompt. Entering waits for the first event of meaning, without holding the gate; leaving closes the
        connection at once, in the middle of an answer too.

        Entering raises every refusal (SchoolRefused) and SchoolUnreachable: the prompt was not accepted, and the
        call may be repeated. After SchoolServerError, ask `config` whether the token is dead. Every other error
        counts as accepted, and is permanent: repeating the call would send the prompt twice.
        """
        body = {
            "text": text,
            "files": list(files),
            "online": int(online),
            "sessionId": session_id,
            "responseId": None,
            "lang": self._lang,
        }
        if thinking is not None:
            body["thinking"] = thinking
        request = self._request(
            "POST",
            "chat/completions",
            kind="fetch",
            # A compressed stream may be held back until a block is full.
            headers={"accept": "text/event-stream", "accept-encoding": "identity", "content-type": "application/json"},
            content=orjson.dumps(body),
            timeout=timeouts(COMPLETION_READ_SECONDS),
        )
        return self._completion(request)

    @asynccontextmanager
    async def _completion(self, request: httpx.Request) -> AsyncIterator[CompletionStream]:
        with _prompt_sent():
            async with self._exchange(request) as response, received(response) as chunks:
                stream = CompletionStream(response, chunks, silence_seconds=COMPLETION_READ_SECONDS)
                await stream.open()
                yield stream

    async def _get(self, path: str) -> Any:
        return await self._data(self._request("GET", path, params={"lang": self._lang}))

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        content = orjson.dumps(dict(body))
        return await self._data(
            self._request("POST", path, headers={"content-type": "application/json"}, content=content)
        )

    async def _data(self, request: httpx.Request) -> Any:
        async with self._exchange(request) as response, received(response) as chunks:
            body = await read_body(chunks)
        content_type = response.headers.get("content-type", "")
        return read_answer(response.status_code, content_type, body, secrets=self._token.secrets).get("data")

    def _exchange(self, request: httpx.Request) -> AbstractAsyncContextManager[httpx.Response]:
        """The one place through which every request goes."""
        return exchange(self._http, self._gate, request)

    def _request(
        self,
        method: str,
        path: str,
        *,
        kind: str = "ajax",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Request:
        body.setdefault("timeout", timeouts(READ_SECONDS))
        return self._http.build_request(
            method,
            f"{self._base}/{path}",
            params={"sf_request_type": kind, **(params or {})},
            headers=_encoded({**self._headers(), **(headers or {})}),
            **body,
        )

    def _headers(self) -> dict[str, str]:
        token = self._token
        origin = token.origin.rstrip("/")
        headers = {
            "accept": "application/json, text/plain, */*",
            "jm-token": token.jm_token,
            "origin": origin,
            "referer": f"{origin}/",
            "user-agent": token.user_agent,
            "sdp-app-session": token.sdp_app_session,
            "cookie": token.cookie_header,
        }
        return {name: value for name, value in headers.items() if value}


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As UTF-8: httpx takes text for ASCII, and a browser's cookie may hold anything."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@contextmanager
def _prompt_sent() -> Iterator[None]:
    """Marks what fails after a prompt has left as permanent: a client that repeats by itself would send it twice."""
    try:
        yield
    except (SchoolRefused, SchoolUnreachable):
        raise
    except SchoolError as error:
        error.permanent = True
        raise


def _session(entry: object) -> Session | None:
    """None when it has no id, which comes as a number or as a numeric string."""
    if not isinstance(entry, dict):
        return None
    number = str(entry.get("id"))
    if not (number.isascii() and number.isdigit()):
        return None
    name = entry.get("name")
    return Session(int(number), name if isinstance(name, str) else "", entry)
