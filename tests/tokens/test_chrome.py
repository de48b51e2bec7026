from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tokens import chrome, leftovers
from tokens.chrome import BrowserSettings, desktop_user_agent, running_chrome
from tokens.errors import ChromeFailed, LoginTimedOut
from tokens.leftovers import end_chrome

Started = tuple[int, Path]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    made = tmp_path / "xipu-chrome-test"
    made.mkdir()
    return made


@contextmanager
def process_group(tmpdir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A shell and its child in a group of their own, as a driver and its Chrome are."""
    command = ["/bin/sh", "-c", "sleep 1000 & echo started; wait"]
    with subprocess.Popen(
        command, env={"TMPDIR": str(tmpdir), "PATH": "/bin"}, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            with_group_gone(process.pid)


def with_group_gone(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def living(group: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def test_a_left_over_group_is_ended_with_its_directory(scratch: Path) -> None:
    with process_group(scratch) as process:
        end_chrome(process.pid, scratch)
        assert living(process.pid) == []
        assert not scratch.exists()


def test_a_group_whose_id_belongs_to_others_meanwhile_is_left_alone(scratch: Path, tmp_path: Path) -> None:
    with process_group(tmp_path) as others:
        end_chrome(others.pid, scratch)
        assert len(living(others.pid)) == 2
        assert not scratch.exists()


def test_what_is_no_scratch_directory_is_neither_removed_nor_proof(tmp_path: Path) -> None:
    with process_group(tmp_path) as others:
        end_chrome(others.pid, tmp_path)
        assert len(living(others.pid)) == 2
        assert tmp_path.exists()


def test_nothing_left_is_fine(scratch: Path) -> None:
    with process_group(scratch) as process:
        end_chrome(process.pid, scratch)
    end_chrome(process.pid, scratch)


@pytest.mark.parametrize("proc", [Path("/proc"), Path("/nowhere")], ids=["proc", "ps"])
@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="ps is missing")
def test_processes_are_found_through_proc_and_through_ps(
    scratch: Path, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "PROC", proc)
    with process_group(scratch) as process:
        assert set(leftovers._members(process.pid)) == set(living(process.pid))


def test_the_user_agent_is_the_desktop_ones() -> None:
    agent = desktop_user_agent(140, "linux")
    assert agent.endswith("Chrome/140.0.0.0 Safari/537.36")
    assert "Headless" not in agent


def test_chrome_leaves_neither_process_nor_file() -> None:
    started: list[Started] = []
    with running_chrome(BrowserSettings(), lambda *group: started.append(group)) as running:
        running.driver.get("about:blank")
        group, scratch = started[0]
        assert len(living(group)) > 3
        assert (scratch / "profile").is_dir()
    assert living(group) == []
    assert not scratch.exists()


def test_chrome_gets_none_of_the_gateways_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ENCRYPTION_KEYS", "very-secret")
    groups: list[int] = []
    environments: list[dict[str, str]] = []

    class Stop(Exception): ...

    def look(group: int, scratch: Path) -> None:
        groups.append(group)
        environments.append(psutil.Process(group).environ())
        raise Stop

    with pytest.raises(Stop):
        with running_chrome(BrowserSettings(), look):
            pass
    assert "PATH" in environments[0]
    assert "GATEWAY_ENCRYPTION_KEYS" not in environments[0]
    assert living(groups[0]) == []


def test_the_time_limit_ends_a_chrome_that_is_busy() -> None:
    started: list[Started] = []
    with running_chrome(BrowserSettings(), lambda *group: started.append(group)) as running:
        # Shortened now, for a start takes its time on a machine that is busy with other tests.
        watchdog = running._watchdog
        watchdog._timer.cancel()
        watchdog._timer = threading.Timer(0.5, watchdog._expire)
        watchdog._timer.start()
        running.driver.set_script_timeout(1000)
        with pytest.raises(chrome.BREAKS):
            running.driver.execute_async_script("/* calls nobody back */")
    assert running.expired
    assert living(started[0][0]) == []


def test_a_chrome_that_never_starts_is_ended_at_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    released = threading.Event()

    def start_late(port: int, options: object) -> None:
        released.wait(60)
        raise ConnectionError

    monkeypatch.setattr(chrome, "_connected", start_late)
    expire = chrome._Watchdog._expire

    def expire_and_release(self: chrome._Watchdog) -> None:
        expire(self)
        released.set()

    monkeypatch.setattr(chrome._Watchdog, "_expire", expire_and_release)
    with pytest.raises(LoginTimedOut):
        with running_chrome(BrowserSettings(time_limit_seconds=1), lambda group, _: groups.append(group)):
            pass
    assert living(groups[0]) == []


def test_a_driver_that_ends_at_once_is_a_failed_chrome(tmp_path: Path) -> None:
    driver = tmp_path / "chromedriver"
    version = subprocess.check_output(["chromedriver", "--version"], text=True).strip()
    driver.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}"\n')
    driver.chmod(0o755)
    with pytest.raises(ChromeFailed, match="did not say on which port"):
        with running_chrome(BrowserSettings(chromedriver=str(driver)), lambda *_: None):
            pass


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize("spared", ["", "internal.example"])
def test_a_proxy_of_the_environment_gets_nothing_of_the_way_to_chrome(
    monkeypatch: pytest.MonkeyPatch, name: str, spared: str
) -> None:
    for each in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(each, spared)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running_chrome(BrowserSettings(time_limit_seconds=600), lambda group, scratch: None) as running:
        assert running.driver.browsing_context.get_tree()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"]
    assert os.environ["no_proxy"].endswith("localhost,127.0.0.1,::1")


def test_an_environment_that_spares_everything_the_proxy_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NO_PROXY", "")
    chrome._keep_loopback_direct()
    assert (os.environ["no_proxy"], os.environ["NO_PROXY"]) == ("*", "*")
