"""The demo's parts: its surroundings, its processes, its sample data, its one chat."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.keys import key_issue
from accounts.models import Account, ApiKey, Member
from accounts.services import account_resume, member_add, password_change
from gateway.management import sample_usage
from gateway.management.processes import Program, gateway_programs, supervisor_command, write_configuration
from tokens.logins import login_ask, logins_resend
from tokens.models import LoginAttempt, Outcome, Trigger, UpstreamToken

HOST = "127.0.0.1"
XJTLU_USERNAME, ASKED_USERNAME, XJTLU_PASSWORD = "San.Zhang24", "Wei.Li25", "demo-password"
QUESTION = "Hello! Who are you?"
SAMPLE_REQUESTS = 1500
START_SECONDS = 180.0
ANSWER_SECONDS = 120.0
POLL_SECONDS = 0.2
KEPT = {"CHROME_BINARY", "CHROMEDRIVER", "GATEWAY_BROWSERS", "GATEWAY_TIME_ZONE"}
"""What the demo takes over from the real installation."""

PR_SET_PDEATHSIG = 1

Say = Callable[[str], object]


# Surroundings


def environment(data_dir: Path, *, port: int, simulator_port: int) -> dict[str, str]:
    """The environment of the demo's processes: nothing of the real installation's, such as its database."""
    return {
        **os.environ,
        **dict.fromkeys(settings.VARIABLES - KEPT, ""),
        "GATEWAY_DATA_DIR": str(data_dir),
        "GATEWAY_PORT": str(port),
        "GATEWAY_DRAIN_SECONDS": "5",
        "XIPU_PORTAL_URL": f"http://{HOST}:{simulator_port}/",
    }


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock file; its descriptor goes on to the supervisor, which may outlive this process for a moment."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"A demo is running already, or still stopping, in {path.parent}.") from None
        yield file.fileno()


def logs_dir() -> Path:
    return Path(settings.DATA_DIR) / "logs"


# Processes


def demo_programs() -> list[Program]:
    """The gateway's, and the simulated school, which starts first and stops last."""
    port = settings.XIPU_PORTAL_URL.rstrip("/").rpartition(":")[2]
    command = [sys.executable, "-m", "simulator", "--host", HOST, "--port", port]
    return [Program("simulator", command, stop_seconds=5, priority=1), *gateway_programs()]


@contextmanager
def supervised(programs: list[Program], *, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the programs for the body; afterwards none of them lives."""
    shutil.rmtree(logs_dir(), ignore_errors=True)
    logs_dir().mkdir(parents=True)
    (Path(settings.DATA_DIR) / "supervisord.log").unlink(missing_ok=True)
    with (logs_dir() / "supervisor.log").open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603
            supervisor_command(write_configuration(programs, logs=logs_dir())),
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C reaches this process alone, which then stops the supervisor.
            start_new_session=True,
            pass_fds=[lock],
            preexec_fn=_end_with_parent(),
        )
    try:
        yield supervisor
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        supervisor.terminate()
        supervisor.wait()


def _end_with_parent() -> Callable[[], object] | None:
    """On Linux: ask the kernel for a SIGTERM when this process is killed, so that the demo's processes end too."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_until_ready(supervisor: subprocess.Popen[bytes]) -> None:
    """Wait until gateway and school answer. Raises `CommandError` with the log of what did not start."""
    places = {"simulator": settings.XIPU_PORTAL_URL, "web": f"{gateway_url()}/healthz"}
    deadline = time.monotonic() + START_SECONDS
    for name, url in places.items():
        while not _answers(url):
            if supervisor.poll() is not None or _has_fallen(name) or time.monotonic() > deadline:
                raise CommandError(f"The {name} process did not start.\n{log_tail(name)}")
            time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        return not httpx.get(url, trust_env=False, timeout=5).is_error
    except httpx.TransportError:
        return False


def _has_fallen(name: str) -> bool:
    return f"exited: {name} " in _text(Path(settings.DATA_DIR) / "supervisord.log")


def log_tail(name: str) -> str:
    """The last lines of a process's log, and where it is."""
    path = logs_dir() / f"{name}.log"
    lines = _text(path).splitlines()[-15:]
    return "\n".join([*(f"    {line}" for line in lines), f"The whole log: {path}"])


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def gateway_url() -> str:
    return f"http://{HOST}:{settings.GATEWAY_PORT}"


# Sample data


@dataclass(frozen=True, repr=False)
class Sample:
    """What the demo has made: the passwords and the key are new with each start."""

    account: Account
    admin_name: str
    asked_name: str
    password: str
    api_key: str


def make_admin() -> Member:
    """Before the start, which otherwise prints a link for the first admin. Nobody can sign in with it yet."""
    admin, _ = Member.objects.get_or_create(username="admin")
    admin.is_staff = admin.is_superuser = admin.is_active = True
    admin.set_unusable_password()
    admin.save()
    return admin


def make_sample() -> Sample:
    """An admin, a member with a key, and a member whom the school asks for a captcha: made anew or set right."""
    password = secrets.token_urlsafe(9)
    admin = make_admin()
    account = _account("demo", XJTLU_USERNAME)
    asked = _account("captcha", ASKED_USERNAME)
    for member in (admin, account.member, asked.member):
        member.is_active = True
        member.set_password(password)
        member.save()
    ApiKey.objects.filter(member=account.member, name="demo").delete()
    _, key = key_issue(member=account.member, name="demo")
    _let_school_ask(asked)
    return Sample(account, admin.username, asked.member.username, password, key)


def make_usage(member: Member) -> None:
    """Requests of the last 30 days, unless an earlier start has made them."""
    if not sample_usage.samples().exists():
        sample_usage.make([member], rows=SAMPLE_REQUESTS, days=30, seed=None, say=lambda line: None)


def _account(name: str, username: str) -> Account:
    """The simulated school is new with each start: what it gave out before is worth nothing."""
    account = Account.objects.select_related("member").filter(username=username).first()
    if account is None:
        Member.objects.filter(username=name).delete()
        return member_add(name=name, xjtlu_username=username, xjtlu_password=XJTLU_PASSWORD)
    UpstreamToken.objects.filter(account=account).delete()
    LoginAttempt.objects.filter(account=account, ended_at=None).update(lease_until=timezone.now())
    logins_resend()
    password_change(account=account, xjtlu_password=XJTLU_PASSWORD)
    account_resume(account=account)
    return account


def _let_school_ask(account: Account) -> None:
    """The simulated school asks this user for a slider captcha; the login that meets it goes on by itself."""
    user = {"username": account.username, "password": XJTLU_PASSWORD, "check": "slider"}
    httpx.post(f"{settings.XIPU_PORTAL_URL}_sim/users", json=user, trust_env=False, timeout=5).raise_for_status()
    login_ask(account=account, trigger=Trigger.ADDED)


def log_in(account: Account, *, say: Say) -> None:
    """Let the worker log the account in; says its steps as they come. Raises `CommandError`."""
    attempt = login_ask(account=account, trigger=Trigger.PERSON)
    said = 0
    deadline = time.monotonic() + START_SECONDS + settings.LOGIN_TIME_LIMIT_SECONDS
    while attempt.ended_at is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        attempt.refresh_from_db()
        for step in attempt.steps[said:]:
            say(f"  {step['at']:5.1f} s  {step['step']}" + (f": {step['detail']}" if step["detail"] else ""))
        said = len(attempt.steps)
    if attempt.outcome != Outcome.CAPTURED:
        why = attempt.message or "no worker has ended it in time."
        raise CommandError(f"The login failed: {why}\n{log_tail('logins')}")


# The chat


def chat_body(model: str) -> dict[str, Any]:
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": QUESTION}]}


def first_model(api_key: str) -> str:
    """The id of the first model that the account is offered. Raises `CommandError`."""
    with _client(api_key) as client:
        try:
            answer = client.get("/v1/models")
        except httpx.TransportError as error:
            raise _no_answer(type(error).__name__) from None
    if not answer.is_success or not answer.json()["data"]:
        raise _no_answer(answer.text)
    return str(answer.json()["data"][0]["id"])


def chat(api_key: str, model: str, *, write: Callable[[str], object]) -> None:
    """Send the question; writes the answer piece by piece. Raises `CommandError` unless it came wholly."""
    with _client(api_key) as client:
        try:
            with client.stream("POST", "/v1/chat/completions", json=chat_body(model)) as answer:
                if not answer.is_success:
                    raise _no_answer(answer.read().decode(errors="replace"))
                _write_pieces(answer, write)
        except httpx.TransportError as error:
            raise _no_answer(type(error).__name__) from None


def _write_pieces(answer: httpx.Response, write: Callable[[str], object]) -> None:
    got_text = False
    for line in answer.iter_lines():
        data = line.removeprefix("data: ")
        if data == "[DONE]" and got_text:
            return
        if data == line or data == "[DONE]":
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            raise _no_answer(chunk["error"]["message"])
        if text := _piece(chunk):
            got_text = True
            write(text)
    raise _no_answer("the stream ended early.")


def _piece(chunk: Mapping[str, Any]) -> str:
    """The text in one chunk of the stream; the last chunks have none."""
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _client(api_key: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {api_key}"}
    # A proxy of the environment does not reach this machine's own ports.
    return httpx.Client(base_url=gateway_url(), headers=headers, timeout=ANSWER_SECONDS, trust_env=False)


def _no_answer(why: str) -> CommandError:
    return CommandError(f"The chat got no whole answer: {why}\n{log_tail('web')}")
