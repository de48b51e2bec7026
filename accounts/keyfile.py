"""Secrets that a fresh installation makes for itself: one file each in the data directory, mode 0600."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """The file's text; where there is no file, `make()` is written first.

    Several processes may start at once: a hard link makes exactly one of them the author.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = write_private(path.parent, make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def replace(path: Path, text: str) -> None:
    """Put `text` in the file's place in one step: a reader sees the old text or the new one."""
    write_private(path.parent, text).replace(path)


def write_private(folder: Path, text: str) -> Path:
    """A new file in `folder` that only its owner can read (mode 0600 is what `mkstemp` gives)."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    return Path(name)
