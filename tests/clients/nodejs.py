"""The Node clients: installed into a cache once for each lock file, and run one feature at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.endpoint import Endpoint
from tests.school import MODEL

SOURCES = Path(__file__).parent / "node"
LEAST_NODE = 20
INSTALL_SECONDS = 300
RUN_SECONDS = 180


class Node:
    """Runs `node/*.mjs` beside the installed packages."""

    def __init__(self, packages: Path, folder: Path) -> None:
        self._folder = folder
        for script in SOURCES.glob("*.mjs"):
            shutil.copy(script, folder)
        (folder / "node_modules").symlink_to(packages)

    def run(self, script: str, feature: str, endpoint: Endpoint, options: dict[str, Any]) -> Any:
        """What the feature gives back, as JSON; `{"error": ...}` where it throws."""
        done = subprocess.run(
            ["node", str(self._folder / script), feature, json.dumps(options)],
            env={**os.environ, "GATEWAY_URL": endpoint.base_url, "GATEWAY_KEY": endpoint.api_key},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True)
class Script:
    """One client: called with a feature, a prompt and the feature's own options."""

    node: Node
    name: str
    endpoint: Endpoint

    def __call__(self, feature: str, prompt: str = "", model: str = MODEL, **options: Any) -> Any:
        return self.node.run(self.name, feature, self.endpoint, {"prompt": prompt, "model": model, **options})


def installed(cache: Path, sources: Path = SOURCES) -> Path:
    """The folder `node_modules`, of the lock file in `sources`. Skips the test where there is none to be had."""
    _need_node()
    lock_file = (sources / "package-lock.json").read_bytes()
    folder = cache / hashlib.sha256(lock_file).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if not (folder / "done").exists():
            _install(folder, sources)
    return folder / "node_modules"


def _need_node() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: what needs it is not tested")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < LEAST_NODE:
        pytest.skip(f"Node {version} is older than {LEAST_NODE}: what needs it is not tested")


def _install(folder: Path, sources: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(sources / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--fetch-retries=1", "--loglevel=error", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not finish within {INSTALL_SECONDS} s: what needs its packages is not tested")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install the packages: {' '.join(done.stderr.split())[:300]}")
    (folder / "done").touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time: parallel test workers share the cache."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
