"""The processes of an installation, and the configuration under which supervisord keeps them running."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

CALL_THREADS = 16
KILL_MARGIN_SECONDS = 20
"""What a process may take after its drain to end by itself; the web process's own steps take at most 15 s."""

STANDARD_OUTPUT = "/dev/fd/1"


@dataclass(frozen=True)
class Program:
    """One process. `stop_seconds`: how long it may take to end after SIGTERM before it is killed.

    Programs of a lower `priority` start earlier and stop later; those of the same stop at the same time.
    """

    name: str
    command: Sequence[str]
    stop_seconds: float
    priority: int = 10


def gateway_programs() -> list[Program]:
    """Web process, workers for logins, live logins and calls, and the schedule's sender."""
    drain = settings.DRAIN_SECONDS + KILL_MARGIN_SECONDS
    return [
        Program("web", [sys.executable, "manage.py", "serve"], drain),
        # Threads, since a login waits for Chrome, and Chrome's own watchdog ends what hangs.
        Program("logins", _worker("logins", settings.GATEWAY_BROWSERS), drain),
        # A person's five minutes keep no other login waiting.
        Program("live", _worker("live", settings.GATEWAY_LIVE_BROWSERS), drain),
        Program("calls", _worker("calls", CALL_THREADS), KILL_MARGIN_SECONDS),
        Program("beat", [*_celery("beat"), "--pidfile="], KILL_MARGIN_SECONDS),
    ]


def _celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "-A", "gateway", *arguments]


def _worker(queue: str, threads: int) -> list[str]:
    options = [f"--queues={queue}", f"--hostname={queue}@%h", "--pool=threads", f"--concurrency={threads}"]
    return [*_celery("worker"), *options, "--without-gossip", "--without-mingle", "--without-heartbeat"]


def write_configuration(programs: Sequence[Program], *, logs: Path | None = None) -> Path:
    """Write supervisord.conf into the data directory. Output goes to a file each in `logs`, else to standard output."""
    path = Path(settings.DATA_DIR) / "supervisord.conf"
    path.write_text(configuration(programs, logs=logs))
    return path


def supervisor_command(path: Path) -> list[str]:
    """What runs supervisord in the foreground."""
    return [sys.executable, "-m", "gateway.management.supervise", "--nodaemon", "--configuration", str(path)]


def configuration(programs: Sequence[Program], *, logs: Path | None = None) -> str:
    """The text of a supervisord.conf. Programs of one priority form a group, since groups stop one after the other."""
    sections = [_supervisord(Path(settings.DATA_DIR))]
    for priority in sorted({program.priority for program in programs}):
        members = [program for program in programs if program.priority == priority]
        group = {"programs": ",".join(program.name for program in members), "priority": priority}
        sections += [_section(f"group:{priority}", group), *(_program(program, logs) for program in members)]
    return "\n".join(sections)


def _supervisord(data_dir: Path) -> str:
    values: dict[str, object] = {
        "logfile": _escaped(str(data_dir / "supervisord.log")),
        "logfile_maxbytes": "1MB",
        "logfile_backups": 1,
        "loglevel": "warn",
        "pidfile": _escaped(str(data_dir / "supervisord.pid")),
        "childlogdir": _escaped(str(data_dir)),
    }
    if os.geteuid() == 0:
        # Naming the user says that running as root is meant.
        values["user"] = pwd.getpwuid(0).pw_name
    return _section("supervisord", values)


def _program(program: Program, logs: Path | None) -> str:
    return _section(
        f"program:{program.name}",
        {
            "command": _escaped(shlex.join(program.command)),
            "directory": _escaped(str(settings.BASE_DIR)),
            "autorestart": "true",
            # Each further start waits a second longer. A database that is away for an hour must not end the service.
            "startretries": 1000,
            "stopwaitsecs": round(program.stop_seconds),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(str(logs / f"{program.name}.log")) if logs else STANDARD_OUTPUT,
            "stdout_logfile_maxbytes": "10MB" if logs else 0,
            "stdout_logfile_backups": 1 if logs else 0,
        },
    )


def _section(name: str, values: dict[str, object]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in values.items()), ""])


def _escaped(text: str) -> str:
    """supervisord expands `%(name)s` in values."""
    return text.replace("%", "%%")
