"""`manage.py install_chrome`: see that there is a Chrome with a fitting driver; install both where that is simple.

A Chinese font goes with them: in a live login members read the school's pages as pictures of this Chrome.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tokens.errors import ChromeMissing
from tokens.programs import Programs, find_installed

PACKAGES = ["chromium", "chromium-driver"]
# Small, with all of the simplified characters.
FONT = "fonts-wqy-microhei"
NO_FONT = "No Chinese font was found: live logins would show boxes in place of Chinese text. {hint}"

HOW_TO: dict[str, str] = {
    "ubuntu": (
        "Ubuntu's own chromium is a snap, which cannot use the gateway's private directories. Install Google Chrome "
        "(google-chrome-stable) from Google's package; its driver is fetched at the first login, or put a chromedriver "
        "of the same version on the PATH."
    ),
    "fedora": "Run: sudo dnf install chromium chromedriver",
    "arch": "Run: sudo pacman -S chromium",
    "darwin": "Run: brew install --cask google-chrome chromedriver",
}
ANYWHERE = (
    "Install Chrome or Chromium with the chromedriver of the same version, and set CHROME_BINARY and CHROMEDRIVER "
    "where they are in an unusual place."
)


class Command(BaseCommand):
    help = "Find Chrome and its driver; on Debian install them when they are missing."
    # Setting up a fresh machine comes before there is a database.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        found = self._find()
        if found is None:
            _install(self.stdout.write)
            found = self._find()
        if found is None:
            raise CommandError(f"Chrome was installed but cannot be run. {ANYWHERE}")
        self.stdout.write(f"Chrome {found.version}: {found.chrome}\nDriver: {found.driver}")
        if not _has_chinese_font() and not _install_font():
            self.stdout.write(NO_FONT.format(hint=_font_hint()))

    def _find(self) -> Programs | None:
        try:
            return find_installed(chrome=os.environ.get("CHROME_BINARY"), driver=os.environ.get("CHROMEDRIVER"))
        except ChromeMissing as error:
            raise CommandError(error.message) from error


def _install(say: Callable[[str], object]) -> None:
    """Install Debian's packages as root or with a sudo that asks nothing; elsewhere say what to do."""
    system = _system()
    if system != "debian":
        raise CommandError(f"No Chrome with a driver of the same version was found. {HOW_TO.get(system, ANYWHERE)}")
    prefix = _as_root()
    if prefix is None:
        raise CommandError(f"Chrome is missing. Run: sudo apt-get install {' '.join(PACKAGES)}")
    say("Chrome is missing: installing Debian's packages.")
    if failed := _failed_step(prefix, PACKAGES):
        raise CommandError(f"apt-get {failed} failed: its output above says why.")


def _failed_step(prefix: list[str], packages: list[str]) -> str | None:
    """Install with apt-get; the step that failed, None where all is well."""
    apt_get = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        if subprocess.run([*apt_get, *command], check=False).returncode != 0:  # noqa: S603
            return command[0]
    return None


def _has_chinese_font() -> bool:
    """Without fontconfig (macOS) the system brings its fonts."""
    fc_list = shutil.which("fc-list")
    if fc_list is None:
        return True
    found = subprocess.run([fc_list, ":lang=zh"], capture_output=True, text=True, check=False)  # noqa: S603
    return bool(found.stdout.strip())


def _install_font() -> bool:
    """An extra: where it cannot be had, the gateway works all the same."""
    prefix = _as_root()
    return _system() in ("debian", "ubuntu") and prefix is not None and _failed_step(prefix, [FONT]) is None


def _font_hint() -> str:
    return f"Run: sudo apt-get install {FONT}" if _system() in ("debian", "ubuntu") else "Install one."


def _system() -> str:
    """Return the key of HOW_TO that fits, or "debian"."""
    if platform.system() != "Linux":
        return platform.system().lower()
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((name for name in names if name in (*HOW_TO, "debian")), "unknown")


def _as_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:  # noqa: S603
        return [sudo, "-n"]
    return None
