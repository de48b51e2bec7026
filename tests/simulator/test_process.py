"""The simulator as a process: its start, its arguments and its end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.simulator.clients import Simulator, member_of, read_ready_url, start

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run() -> Iterator[Start]:
    """Start simulators that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(start(*arguments, stderr=subprocess.PIPE))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_it_takes_the_users_and_the_interval_that_it_is_given(run: Start) -> None:
    url = read_ready_url(run("--user", "A.One:a:b", "--user", "B.Two:c", "--interval", "7"))
    state = httpx.get(f"{url}/_sim/state", trust_env=False, timeout=60).json()
    assert list(state["users"]) == ["A.One", "B.Two"]
    assert state["settings"]["interval"] == 7


def test_a_user_without_a_password_is_refused(run: Start) -> None:
    assert run("--user", "A.One").wait(60) == 2


def test_sigterm_ends_it_while_a_stream_is_open(run: Start) -> None:
    process = run("--interval", "0")
    with httpx.Client(trust_env=False, timeout=60) as http:
        member = member_of(Simulator(read_ready_url(process), http))
        body = {"text": "[[sim hold]]", "sessionId": member.create()["id"]}
        url = f"{member.api_url}/chat/completions"
        with http.stream("POST", url, headers=member.headers, json=body):
            process.terminate()
            assert process.communicate(timeout=60) == ("", "")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_one_line_only(run: Start, end: signal.Signals) -> None:
    process = run()
    httpx.get(read_ready_url(process), trust_env=False, timeout=60)
    process.send_signal(end)
    assert process.communicate(timeout=60) == ("", "")
