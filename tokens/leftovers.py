"""Ending a Chrome from outside, also one that a crash left: its process group, and its scratch directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tokens.errors import ChromeFailed

SCRATCH_PREFIX = "xipu-chrome-"
KILL_SECONDS = 10.0
PROC = Path("/proc")


def end_chrome(process_group: int, scratch: Path) -> None:
    """End what is left of a Chrome and remove its scratch directory; nothing left is fine too.

    Safe long after the start: a process group whose id was given to others meanwhile is left alone, as is a directory
    that is no scratch directory. Raises ChromeFailed when a process survives SIGKILL.
    """
    if not scratch.name.startswith(SCRATCH_PREFIX):
        return
    # One member that names the directory proves the whole group: its id is not reused while one lives.
    if any(str(scratch) in text for text in map(_text, _members(process_group))):
        kill(process_group)
    remove(scratch)


def kill(group: int) -> None:
    """End every process of a group. Raises ChromeFailed when one survives SIGKILL."""
    deadline = time.monotonic() + KILL_SECONDS
    while _members(group):
        if time.monotonic() > deadline:
            raise ChromeFailed("Some of Chrome's processes could not be ended.")
        _signal_group(group)
        time.sleep(0.01)


def remove(scratch: Path) -> None:
    """A call that a killed process was in may still make a file: until it is done the directory is not empty."""
    deadline = time.monotonic() + KILL_SECONDS
    while scratch.exists() and time.monotonic() < deadline:
        shutil.rmtree(scratch, ignore_errors=True)


def _signal_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        # It ended by itself between the look and the signal.
        return


def _members(group: int) -> list[int]:
    """Return the ids of a group's living processes: a zombie that nobody has reaped is none."""
    if PROC.exists():
        return [pid for pid in _pids() if _living_group(pid) == group]
    rows = [line.split(None, 3) for line in _ps("-axo", "pid=,pgid=,stat=").splitlines()]
    return [int(pid) for pid, its_group, state in rows if int(its_group) == group and not state.startswith("Z")]


def _text(pid: int) -> str:
    """Return command line and environment, as far as they can be read."""
    if not PROC.exists():
        return _ps("-wwEo", "command=", "-p", str(pid))
    parts = []
    for name in ("cmdline", "environ"):
        try:
            parts.append((PROC / str(pid) / name).read_bytes().decode(errors="replace"))
        except OSError:
            # A process that is ending, or that may not be read: another member of its group will do.
            continue
    return "\n".join(parts)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir(PROC) if name.isdigit())


def _living_group(pid: int) -> int | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # The first thread of a killed process may be a zombie while others are still in a call.
    state, threads = fields[0], int(fields[17])
    return None if state in "ZX" and threads <= 1 else int(fields[2])


def _ps(*arguments: str) -> str:
    return subprocess.run(["/bin/ps", *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S603
