"""The whole running thing: simulator, web process, workers and schedule, in a directory and a database of their own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import openai
import psutil
import psycopg
import redis
from openai import AsyncOpenAI, OpenAI

from gateway.management.processes import gateway_programs
from tests.e2e import desk, rows
from tests.e2e.desk import Desk
from tests.processes import ROOT
from tests.school import MODEL, School

CONDITION_SECONDS = 90
STOP_SECONDS = 30
INTERVAL_SECONDS = 0.25
# What the school forgives: a busy machine delivers late. Calls without a slot come within a few milliseconds.
TOLERANCE_SECONDS = 0.2
SCHOOL_SETTINGS = {
    "sign_on": "2026",
    "wire": "2026",
    "element_delay_ms": 20,
    "token_lifetime_seconds": 7200,
    "tolerance": TOLERANCE_SECONDS,
}


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail where it does not come."""
    deadline = time.monotonic() + CONDITION_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: did not come"
        time.sleep(0.05)


class Program:
    """One process, whose output goes to a file."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self._begins_at = output.tell()
            self.popen = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)

    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_bytes()[self._begins_at :].decode(errors="replace")

    def wait_for(self, text: str) -> str:
        """The rest of the line behind `text`, once it stands there."""
        eventually(lambda: text in self.said() or self.popen.poll() is not None, f"{text!r} in {self.log.name}")
        assert text in self.said(), f"ended with {self.popen.returncode}: {self.said()[-3000:]}"
        return self.said().partition(text)[2].split()[0]

    def terminate(self) -> None:
        self.popen.terminate()

    def ended(self) -> int:
        """The exit status, once it has ended."""
        return self.popen.wait(STOP_SECONDS)

    def stop(self) -> int:
        self.terminate()
        try:
            return self.ended()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """As a crash: nothing can be tidied up."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


class BusySchool(School):
    """The school, whose users are the members of many tests: it is never reset."""

    def users(self) -> dict[str, Any]:
        return dict(self._http.get("state").raise_for_status().json()["users"])

    def until(self, **query: object) -> None:
        """Wait for what `GET /_sim/wait` can tell: calls made, completions ended, streams and browsers held."""
        self._http.get("wait", params={"timeout": str(CONDITION_SECONDS), **query}).raise_for_status()  # type: ignore[dict-item]


@dataclass
class Person:
    """A member of the gateway: name, XJTLU account, key."""

    stack: Stack
    name: str
    username: str
    password: str = field(repr=False)
    api_key: str = field(default="", repr=False)
    request_ids: list[str] = field(default_factory=list)

    def client(self, url: str = "", **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{url or self.stack.url}v1", api_key=self.api_key, **options)

    def async_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.stack.url}v1", api_key=self.api_key)

    def ask(self, prompt: str, *, url: str = "", **options: Any) -> str:
        """The answer, not streamed; without retries, except while a login takes longer than a request waits for it."""
        with self.client(url, max_retries=0, **options) as client:
            while True:
                try:
                    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
                except openai.InternalServerError as error:
                    if error.code != "login_running":
                        raise
                else:
                    return answer.choices[0].message.content or ""

    # At the gateway

    @property
    def account(self) -> dict[str, Any]:
        return self.stack.desk(rows.account, self.name)

    @property
    def logins(self) -> list[dict[str, Any]]:
        return self.stack.desk(rows.logins, self.name)

    @property
    def usage(self) -> list[dict[str, Any]]:
        return self.stack.desk(rows.usage, self.name)

    def closed_usage(self) -> list[dict[str, Any]]:
        """The same, once all are closed: a record is closed a moment after the answer's last byte."""
        eventually(lambda: all(row["status"] != "open" for row in self.usage), "the end of the records")
        return self.usage

    @property
    def session_rows(self) -> list[dict[str, Any]]:
        return self.stack.desk(rows.sessions, self.name)

    def is_logged_in(self) -> bool:
        return bool(self.account["logged_in"])

    def last_login_ended(self) -> bool:
        return bool(self.logins) and self.logins[-1]["ended_at"] is not None

    # At the school

    @property
    def at_school(self) -> dict[str, Any]:
        return self.stack.school.user(self.username)

    def all_calls(self) -> list[str]:
        """The calls that the school has seen, in order."""
        return self.stack.school.calls(self.username)

    def statuses(self) -> set[str]:
        """How the school has answered them."""
        return {call["status"] for call in self.at_school["calls"]}

    def sessions_are_gone(self) -> None:
        """Wait until nothing of the gateway is left at the school, and its rows are gone too."""
        eventually(lambda: not self.stack.school.sessions(self.username), "the end of the sessions at the school")
        eventually(lambda: not self.session_rows, "the end of the sessions' rows")


class Stack:
    def __init__(self, root: Path, environment: dict[str, str], school: BusySchool, desk: Desk) -> None:
        self.root = root
        self.environment = environment
        self.school = school
        self.desk = desk
        self.url = ""
        self.secrets: set[str] = set()
        self.programs: dict[str, Program] = {}
        self._commands = {program.name: list(program.command) for program in gateway_programs()}
        self._people = 0

    @property
    def data_dir(self) -> Path:
        return Path(self.environment["GATEWAY_DATA_DIR"])

    # Processes

    def start(self, name: str) -> Program:
        """Start a worker or the schedule, also again."""
        program = self._program(name, self._commands[name])
        self.programs[name] = program
        return program

    def start_web(self) -> None:
        self.programs["web"], self.url = self._web("web")

    @contextmanager
    def another_web(self, **environment: str) -> Iterator[tuple[Program, str]]:
        """A second web process on the same database, and its URL."""
        program, url = self._web("web-2", **environment)
        try:
            yield program, url
        finally:
            if program.popen.poll() is None:
                program.stop()

    def _web(self, name: str, **environment: str) -> tuple[Program, str]:
        program = self._program(name, [*self._commands["web"], "--port", "0"], **environment)
        return program, program.wait_for("gateway ready on ")

    def _program(self, name: str, command: list[str], **environment: str) -> Program:
        return Program(command, self.root / "logs" / f"{name}.log", {**self.environment, **environment})

    def restart(self, name: str) -> None:
        """Kill as a crash does, and start again."""
        self.programs[name].kill()
        self.start(name)

    def stop(self) -> dict[str, int]:
        """End all as a supervisor does: the exit statuses."""
        running = {name: program for name, program in self.programs.items() if program.popen.poll() is None}
        for program in running.values():
            program.terminate()
        return {name: program.ended() for name, program in running.items()}

    def left_over(self) -> list[str]:
        """Processes that belong to this stack, by their environment or their arguments: Chrome's scratch lies there."""
        return [describe(process) for process in psutil.process_iter() if str(self.root) in belongings(process)]

    # People

    def manage(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A `manage.py` command, as a script runs it."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )

    def begin(self, *arguments: str) -> Program:
        """A `manage.py` command that is not waited for."""
        return self._program(arguments[0], [sys.executable, "manage.py", *arguments])

    def person(self, **at_school: Any) -> Person:
        """Somebody with an account at the school, and not yet a member of the gateway."""
        self._people += 1
        number = f"{self._people}{secrets.randbelow(90) + 10}"
        person = Person(self, f"member{number}", f"San.Zhang{number}", f"Pw-{secrets.token_hex(8)}")
        self.school.post("users", {"username": person.username, "password": person.password, **at_school})
        self.secrets.add(person.password)
        return person

    def add(self, person: Person, *, password: str | None = None) -> Person:
        """Make the person a member with a key. With a password the workers log the account in."""
        names = ("add_member", person.name, "--xjtlu-username", person.username)
        given = ("--xjtlu-password-file", "-") if password else ()
        self.desk(rows.command, *names, *given, stdin=password or "")
        person.api_key = self.desk(rows.command, "issue_key", person.name, "--json").split('"')[3]
        self.secrets.add(person.api_key)
        return person

    def member(self) -> Person:
        """A member who has pasted a token, and whose models are known: no browser, and no call of its own."""
        person = self.add(self.person())
        token = self.school.token(person.username)
        self.secrets |= {token["jm_token"], *token["cookies"].values()}
        self.desk(rows.import_token, person.name, token)
        return person


def belongings(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), *process.environ().values()])
    except psutil.Error:
        return ""


def describe(process: psutil.Process) -> str:
    return f"{process.pid} {' '.join(process.cmdline())[:200]}"


@contextmanager
def running_stack(root: Path) -> Iterator[Stack]:
    """The stack, started; at its end every process has ended by itself and nothing is left."""
    for folder in ("data", "logs", "tmp"):
        (root / folder).mkdir(mode=0o700)
    with ExitStack() as closing:
        environment = {**_inherited(), **_settings(root), **closing.enter_context(_services())}
        log = root / "school.log"
        command = [sys.executable, "-m", "simulator", "--port", "0", "--interval", str(INTERVAL_SECONDS)]
        simulator = Program(command, log, environment)
        closing.callback(simulator.stop)
        school = BusySchool(simulator.wait_for("simulator ready on "))
        school.settings(**SCHOOL_SETTINGS)
        environment["XIPU_PORTAL_URL"] = school.url
        stack = Stack(root, environment, school, closing.enter_context(desk.opened(environment)))
        stack.desk(rows.command, "migrate", "--verbosity=0")
        closing.callback(stack.stop)
        stack.start_web()
        for name in ("logins", "live", "calls", "beat"):
            stack.start(name)
        for name in ("logins", "live", "calls"):
            stack.programs[name].wait_for("worker ready")
        yield stack


def _inherited() -> dict[str, str]:
    """Without what the tests' own settings have put there."""
    ours = ("GATEWAY_", "XIPU_", "CELERY_", "DATABASE_", "REDIS_", "DJANGO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _settings(root: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(root / "tmp"),
        "GATEWAY_DATA_DIR": str(root / "data"),
        "GATEWAY_LOG_LEVEL": "DEBUG",
        "GATEWAY_DRAIN_SECONDS": "3",
        "XIPU_CALL_INTERVAL_SECONDS": str(INTERVAL_SECONDS),
    }


@contextmanager
def _services() -> Iterator[dict[str, str]]:
    """A PostgreSQL database of its own and an empty Redis, where the environment names servers; else nothing."""
    with ExitStack() as closing:
        found = {}
        if server := os.environ.get("DATABASE_URL", ""):
            found["DATABASE_URL"] = closing.enter_context(_own_database(server))
        if redis_url := os.environ.get("REDIS_URL", ""):
            found["REDIS_URL"] = closing.enter_context(_own_redis(redis_url))
        yield found


@contextmanager
def _own_database(server: str) -> Iterator[str]:
    if not server.startswith("postgres"):
        yield ""
        return
    name = f"e2e_{uuid4().hex[:12]}"
    parts = urlsplit(server)
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _own_redis(server: str) -> Iterator[str]:
    """The address of a database of that server that was empty; it is claimed by a key in it."""
    for number in range(14, 0, -1):
        address = urlunsplit(urlsplit(server)._replace(path=f"/{number}"))
        with redis.Redis.from_url(address) as client:
            if client.dbsize() == 0 and client.set(rows.REDIS_CLAIM, "e2e", nx=True):
                try:
                    yield address
                finally:
                    client.flushdb()
                return
    raise RuntimeError("This Redis has no empty database.")
