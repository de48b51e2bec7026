"""`make check`: what is held beside the tests. Runs all of it, then says what failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
CHECKS = {
    "format": [f"{SCRIPTS}/ruff", "format", "--check", "--quiet", "."],
    "lint": [f"{SCRIPTS}/ruff", "check", "--quiet", "."],
    "types": [sys.executable, "-m", "mypy", "."],
    "arrows": [f"{SCRIPTS}/lint-imports", "--no-logo"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "settings": [sys.executable, "manage.py", "check"],
    "production settings": [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    "translations": [sys.executable, "-m", "tests.messages", "--check"],
    "docs": [sys.executable, "-m", "pytest", "--quiet", "--no-header", "tests/test_docs.py"],
}
ENVIRONMENTS = {"production settings": {"GATEWAY_HTTPS": "true", "GATEWAY_ALLOWED_HOSTS": "gateway.example.org"}}


def main() -> None:
    failed = [name for name, command in CHECKS.items() if not passes(name, command)]
    sys.exit(f"Failed: {', '.join(failed)}." if failed else None)


def passes(name: str, command: list[str]) -> bool:
    """Run one check quietly; its output is shown when it fails."""
    environment = {**os.environ, **ENVIRONMENTS.get(name, {})}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(f"{'ok' if done.returncode == 0 else 'FAILED':<8}{name}", flush=True)
    if done.returncode != 0:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
