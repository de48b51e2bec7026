"""Stand-ins for what a login meets: a simulated school, an owner that remembers, and pages of one's own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from selenium.common.exceptions import WebDriverException

from tests.conftest import until
from tokens.browser import Capture
from tokens.pages import is_passing

LogIn = Callable[..., Capture]
USERNAME = "San.Zhang24"
PASSWORD = "demo-password"


def until_shown(condition: Callable[[], object]) -> None:
    """Wait for it while a browser goes from one page to another, and answers no command on the way."""

    def holds() -> bool:
        try:
            return bool(condition())
        except WebDriverException as error:
            if not is_passing(error):
                raise
            return False

    until(holds, "the page")


class SimulatedSchool:
    """The simulator's control API."""

    username, password = USERNAME, PASSWORD

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode()
        with urlopen(Request(f"{self.url}_sim/{path}", data, {"content-type": "application/json"})) as answer:
            return json.load(answer)

    def set(self, **settings: Any) -> None:
        self.ask("settings", **settings)

    def user(self) -> dict[str, Any]:
        with urlopen(f"{self.url}_sim/state") as answer:
            user: dict[str, Any] = json.load(answer)["users"][USERNAME]
            return user


class RememberingWatcher:
    """Notes what the story tells; `look` is called right before the password is submitted."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.happened: list[str] = []
        self.calls: list[float] = []
        self.asked: list[str] = []
        self.give_code: Callable[[], str | None] = lambda: None
        self.at_password: Callable[[], None] = lambda: None
        self.process_group = 0
        self.scratch = Path()

    def step(self, name: str, detail: str = "") -> None:
        self.steps.append(name)
        self.happened.append(name)

    def before_password(self) -> None:
        self.happened.append("before_password")
        self.at_password()

    @contextmanager
    def chat_page(self) -> Iterator[RememberingWatcher]:
        self.happened.append("lane entered")
        yield self
        self.happened.append("lane left with Chrome alive" if self.alive() else "lane left")

    def seen(self, unix_time: float) -> None:
        self.calls.append(unix_time)

    def chrome_started(self, process_group: int, scratch: Path) -> None:
        self.process_group, self.scratch = process_group, scratch

    def ask_code(self, asked: str) -> str | None:
        self.asked.append(asked)
        return self.give_code()

    def alive(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            in_group = os.getpgid(process.pid) == self.process_group
            named = str(self.scratch) in " ".join(process.cmdline())
            return (in_group or named) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, ProcessLookupError):
            return False


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves a page does not hear it out. Other errors are told by what the test misses: a traceback
        from here would be parsed beside pytest's own, which Python 3.11 cannot do.
        """


class Site:
    """A web server on 127.0.0.1 whose pages are a test's own; a page may be a function, called for each request."""

    def __init__(self) -> None:
        self.pages: dict[str, str | Callable[[], str]] = {}
        self.posted: list[str] = []
        self.asked: list[str] = []
        self.closing = threading.Event()
        self.server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path.partition("?")[0], "")
                body = (page() if callable(page) else page).encode()
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                site.posted.append(self.path)
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        return Handler

    def hang(self) -> str:
        self.closing.wait()
        return ""


@contextmanager
def served_site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        made.server.shutdown()
        thread.join()
        made.server.server_close()
