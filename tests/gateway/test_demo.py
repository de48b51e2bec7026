"""`manage.py demo` and `manage.py run`: they come up, answer, and leave nothing behind."""

# mypy: allow-untyped-calls

from __future__ import annotations

import configparser
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from accounts.services import member_add
from gateway.broker import Channel
from gateway.management import demo, processes
from gateway.management.ports import free_port, is_free
from gateway.management.processes import Program, configuration, gateway_programs
from tests.conftest import until
from tests.processes import ROOT
from tokens.models import LoginAttempt, Outcome, Trigger

Start = Callable[..., subprocess.Popen[str]]


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every living process that has the directory in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("GATEWAY_DATA_DIR") == str(data_dir) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a command of manage.py on the test's own directory; what it leaves is ended, and fails the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "gateway.settings", **variables}
        command = [sys.executable, "manage.py", *arguments]
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait()
    left = processes_of(tmp_path / "data")
    for each in left:
        each.kill()
    assert left == []


def output(tmp_path: Path) -> str:
    return (tmp_path / "output").read_text()


def test_the_demo_logs_in_with_chrome_and_streams_an_answer(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--once", "--data-dir", str(tmp_path / "data"))
    assert process.wait() == 0, output(tmp_path)
    assert "token captured" in output(tmp_path)
    assert "Simulated answer" in output(tmp_path)
    assert "/admin/" in output(tmp_path)
    assert processes_of(tmp_path / "data") == []


def test_a_demo_without_chrome_says_so_and_stops(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--data-dir", str(tmp_path / "data"), CHROME_BINARY="/no/chrome")
    assert process.wait() == 1
    assert "CHROME_BINARY is set to /no/chrome, which cannot be run." in output(tmp_path)
    assert "Starting" not in output(tmp_path)
    assert processes_of(tmp_path / "data") == []


@pytest.mark.django_db
def test_a_login_that_fails_is_told_with_its_log(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    account = member_add(name="alice", xjtlu_username="Alice.A24")
    attempt = LoginAttempt.objects.create(
        account=account,
        trigger=Trigger.PERSON,
        ended_at=timezone.now(),
        outcome=Outcome.FAILED,
        message="No page came.",
    )
    monkeypatch.setattr(demo, "login_ask", lambda **_: attempt)
    with pytest.raises(CommandError, match=r"The login failed: No page came\.\n.*logs/logins\.log"):
        demo.log_in(account, say=print)


def test_a_killed_demo_takes_its_processes_along(start: Start, tmp_path: Path) -> None:
    process = start("demo", "--data-dir", str(tmp_path / "data"))
    until(lambda: "opening the portal" in output(tmp_path), "the login's Chrome")
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("chromedriver" in each.name() for each in family)
    process.kill()
    process.wait()
    _, left = psutil.wait_procs(family, timeout=180)
    assert left == []


def test_a_second_demo_in_the_same_place_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with demo.locked(tmp_path / "data" / "lock"):
        assert start("demo", "--data-dir", str(tmp_path / "data")).wait() == 1
    assert "A demo is running already" in output(tmp_path)


def test_run_starts_what_is_killed_again_and_stops_with_its_terminal(start: Start, tmp_path: Path) -> None:
    # Below those that any socket of another test may get meanwhile.
    port = next(each for each in random.sample(range(20_000, 32_000), 100) if is_free("127.0.0.1", each))
    process = start(
        "run",
        GATEWAY_DATA_DIR=str(tmp_path / "data"),
        GATEWAY_PORT=str(port),
        DATABASE_URL="",
        GATEWAY_LOG_LEVEL="INFO",
    )

    def is_running() -> bool:
        assert process.poll() is None, output(tmp_path)
        return output(tmp_path).count("worker ready") >= 3 and "gateway ready" in output(tmp_path)

    until(is_running, "the start")
    web = next(each for each in processes_of(tmp_path / "data") if "serve" in each.cmdline())
    web.kill()
    until(lambda: output(tmp_path).count("gateway ready") == 2, "a new web process")
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 0
    assert processes_of(tmp_path / "data") == []


def test_run_refuses_a_port_that_is_taken(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.GATEWAY_HOST, settings.GATEWAY_PORT = "127.0.0.1", server.getsockname()[1]
        with pytest.raises(CommandError, match="Cannot listen on"):
            call_command("run")


def test_another_port_is_found_for_one_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        found = free_port("127.0.0.1", taken)
        assert found != taken
        assert is_free("127.0.0.1", found)


def test_the_demo_uses_nothing_of_the_real_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://real.example/gateway")
    environment = demo.environment(tmp_path, port=1, simulator_port=2)
    assert environment["DATABASE_URL"] == environment["REDIS_URL"] == environment["GATEWAY_SECRET_KEY"] == ""
    assert environment["GATEWAY_DATA_DIR"] == str(tmp_path)
    assert environment["XIPU_PORTAL_URL"] == "http://127.0.0.1:2/"


@pytest.mark.parametrize("taken", [False, True])
def test_the_demo_takes_port_and_place_from_the_environment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taken: bool
) -> None:
    started: list[dict[str, str]] = []

    def become(file: str, arguments: list[str], environment: dict[str, str]) -> None:
        started.append(environment)
        raise InterruptedError

    monkeypatch.setattr(os, "execve", become)
    settings.DATA_DIR = tmp_path
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.GATEWAY_PORT = server.getsockname()[1]
        if not taken:
            server.close()
        with pytest.raises(InterruptedError):
            call_command("demo")
    (environment,) = started
    assert (environment["GATEWAY_PORT"] != str(settings.GATEWAY_PORT)) is taken
    assert environment["GATEWAY_DATA_DIR"] == str(tmp_path / "demo")


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_a_program_is_stopped_after_its_drain_and_never_before(settings: Settings) -> None:
    settings.DRAIN_SECONDS = 45.0
    config = parsed(configuration(gateway_programs()))
    longest_end = 45 + 15
    assert float(config["program:web"]["stopwaitsecs"]) > longest_end
    assert float(config["program:logins"]["stopwaitsecs"]) > 45


def test_programs_of_one_priority_stop_together() -> None:
    first = Program("first", ["true"], stop_seconds=1, priority=1)
    config = parsed(configuration([*gateway_programs(), first, replace(first, name="second")]))
    assert config["group:1"]["programs"] == "first,second"
    assert config["group:10"]["programs"] == "web,logins,live,calls,beat"


def test_odd_letters_in_paths_are_kept(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "50% of it"
    program = Program("odd", ["/a path/python", "%h"], stop_seconds=1)
    config = parsed(processes.configuration([program], logs=settings.DATA_DIR))
    assert config["program:odd"]["command"] == "'/a path/python' %%h"
    assert config["program:odd"]["stdout_logfile"].endswith("/50%% of it/odd.log")


def test_a_message_of_the_embedded_broker_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that looks at the worst moment, before the rename, sees no message of the queue."""
    seen: list[int] = []
    channel = Channel.__new__(Channel)
    channel.data_folder_in = channel.data_folder_out = str(tmp_path)
    rename = Path.rename

    def look_and_rename(draft: Path, target: Path) -> Path:
        seen.append(channel._size("calls"))
        return rename(draft, target)

    monkeypatch.setattr(Path, "rename", look_and_rename)
    channel._put("calls", {"id": 1})
    assert [*seen, channel._size("calls")] == [0, 1]
