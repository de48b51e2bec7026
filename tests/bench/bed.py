"""What is measured: a simulated school, and the real web process on a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil

from tests.processes import ROOT, running
from tests.school import PASSWORD, School

MEMBERS = 8
"""An account's waiting calls are limited to 32: more streams than that at once need several accounts."""


@dataclass(frozen=True)
class User:
    """A member's two ways to the school: a key for the gateway, a token of the school's own."""

    name: str
    api_key: str
    token: dict[str, Any]


@dataclass(frozen=True)
class Bed:
    """Two running servers. The URLs end without a slash."""

    school: School
    gateway: str
    web: psutil.Process
    users: list[User]
    interval: float


@contextmanager
def bed(folder: Path, *, interval: float) -> Iterator[Bed]:
    """The servers, with `interval` seconds between the calls of one account on both sides."""
    data = Path(mkdtemp(dir=folder))
    arguments = ("-m", "simulator", "--port", "0", "--interval", str(interval))
    with running(*arguments, log=data / "school.log") as process:
        school = School(process.wait_for_line("simulator ready on ").split()[-1])
        # No worker runs here that would delete the sessions.
        school.settings(max_sessions=1_000_000)
        env = _environment(data, school, interval)
        users = _users(school, env)
        with running("manage.py", "serve", "--port", "0", log=data / "gateway.log", env=env) as web:
            url = web.wait_for_line("gateway ready on ").split()[-1].rstrip("/")
            yield Bed(school, url, psutil.Process(web.popen.pid), users, interval)


def _environment(data: Path, school: School, interval: float) -> dict[str, str]:
    """For the gateway's processes. Nothing of an installation's own settings may lead to its database or its school."""
    return {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "GATEWAY_DATA_DIR": str(data),
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{data / 'gateway.sqlite3'}",
        "XIPU_PORTAL_URL": school.url,
        "XIPU_CALL_INTERVAL_SECONDS": str(interval),
        # Empty counts as not set, also against a `.env` file.
        **dict.fromkeys(("DATABASE_URL_FILE", "XIPU_API_URL", "REDIS_URL", "REDIS_URL_FILE", "CELERY_BROKER_URL"), ""),
    }


def _users(school: School, env: dict[str, str]) -> list[User]:
    names = [f"Bench.User{number}" for number in range(MEMBERS)]
    for name in names:
        school.add_user(name, PASSWORD)
    tokens = {name: school.token(name) for name in names}
    _run(env, "manage.py", "migrate", "--verbosity", "0")
    keys = json.loads(_run(env, "-m", "tests.bench.members", given=json.dumps(tokens)))
    return [User(name, keys[name], tokens[name]) for name in names]


def _run(env: dict[str, str], *arguments: str, given: str = "") -> str:
    """The standard output of a Python child that must succeed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
