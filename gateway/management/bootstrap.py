"""`make setup`: everything that a fresh machine needs, stage by stage; a stage that is done is skipped.

    .venv       virtual environment, with the pinned packages of requirements.txt and pyproject.toml
    Chrome      found, or on Debian installed
    database    migrated; the data directory and its keys are made on the way
    page files  stylesheets, scripts and fonts, compressed in staticfiles/

Runs on a bare Python, before any package is there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DONE = VENV / "done"


def main() -> None:
    os.chdir(ROOT)
    if not works():
        make_virtual_environment()
    unless_done("packages", fingerprint("requirements.txt", "pyproject.toml"), install_packages)
    unless_done("chrome", fingerprint("tokens/management/commands/install_chrome.py"), find_chrome)
    unless_done("database", fingerprint(".env", "*/migrations/*.py") + database_variables(), migrate)
    unless_done("page files", fingerprint("requirements.txt", "gateway/static/*/*"), collect_page_files)


def unless_done(stage: str, state: str, work: Callable[[], None]) -> None:
    """Do the work of a stage unless it was done in the same state before."""
    done = DONE / stage
    if not done.exists() or done.read_text() != state:
        work()
        DONE.mkdir(exist_ok=True)
        done.write_text(state)


def fingerprint(*patterns: str) -> str:
    """Of the contents of files."""
    files = sorted(file for pattern in patterns for file in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def database_variables() -> str:
    """What decides which database is meant, without saying it: it may hold a password."""
    names = ("DATABASE_URL", "DATABASE_URL_FILE", "GATEWAY_DATA_DIR")
    return hashlib.sha256("\n".join(os.environ.get(name, "") for name in names).encode()).hexdigest()


def make_virtual_environment() -> None:
    say(f"Making a virtual environment in .venv with Python {sys.version.split()[0]}…")
    if importlib.util.find_spec("ensurepip") is None:
        install_venv_support()
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(VENV))


def install_venv_support() -> None:
    """Debian keeps what makes virtual environments in a package of its own."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    prefix = as_root()
    if prefix is None or not shutil.which("apt-get"):
        sys.exit(f"This Python cannot make virtual environments. Run: sudo apt-get install {package}")
    say(f"Installing Debian's {package}…")
    apt_get = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    run(*apt_get, "update")
    run(*apt_get, "install", "-y", "--no-install-recommends", package)


def install_packages() -> None:
    say("Installing the pinned packages (one to three minutes the first time)…")
    pip = (str(PYTHON), "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check", "install")
    # Groups of pyproject.toml are understood since pip 25.1.
    run(*pip, "--upgrade", "pip>=25.1")
    run(*pip, "--requirement", "requirements.txt", "--group", "dev")


def find_chrome() -> None:
    say("Looking for Chrome and its driver…")
    run(str(PYTHON), "manage.py", "install_chrome")


def migrate() -> None:
    """`manage.py run` does so too: a database that has vanished since is made again there."""
    say("Preparing the database…")
    run(str(PYTHON), "manage.py", "migrate", "--verbosity=0")


def collect_page_files() -> None:
    """Those from before stay: a gateway that runs, and pages that are open, still ask for them."""
    say("Compressing the files of the pages…")
    unused = ("--ignore=redoc", "--ignore=rest_framework")
    run(str(PYTHON), "manage.py", "collectstatic", "--no-input", "--verbosity=0", *unused)


def works() -> bool:
    """Whether the virtual environment does: not when its making was broken off, or its Python has been removed."""
    try:
        asked = subprocess.run([str(PYTHON), "-c", "import pip"], check=False, capture_output=True)  # noqa: S603
    except OSError:
        return False
    return asked.returncode == 0


def as_root() -> list[str] | None:
    """What to put before a command that needs root; None where a password would be asked."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], check=False, capture_output=True).returncode == 0:  # noqa: S603
        return [sudo, "-n"]
    return None


def run(*command: str) -> None:
    """Run it, or end with its status: what went wrong is in its own output above."""
    status = subprocess.run(command, check=False).returncode  # noqa: S603
    if status != 0:
        sys.exit(f"Set-up failed at: {' '.join(command)}")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
