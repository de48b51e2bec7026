"""Processes that a test starts: it waits until they are ready, and always stops them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
STOP_SECONDS = 20


class Process:
    """A Python child whose standard error goes to a file, which a failing test shows."""

    def __init__(self, *arguments: str, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        self._output = log.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
        )

    def wait_for_line(self, beginning: str) -> str:
        """The first line on standard output that begins so. What comes after it is thrown away."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if line.startswith(beginning):
                threading.Thread(target=self._drain, daemon=True).start()
                return line.strip()
        raise AssertionError(f"ended before {beginning!r}: {self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """SIGTERM, and SIGKILL where that does not help: the exit status."""
        self.popen.terminate()
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()
        finally:
            self._output.close()

    def _drain(self) -> None:
        assert self.popen.stdout is not None
        for _ in self.popen.stdout:
            pass


@contextmanager
def running(*arguments: str, log: Path, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    process = Process(*arguments, log=log, env=env)
    try:
        yield process
    finally:
        process.stop()
