"""Stylesheets, scripts and fonts of the pages: compressed, under names that browsers may keep for ever."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

NOT_COLLECTED = "The files of the pages are sent as they are: `make setup` would compress them."


class PageFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise is untyped
    """`make setup` collects them. Where others lie in the packages by now, those are sent, under their plain names."""

    @cached_property
    def manifest_name(self) -> str:
        """There is none of this name unless exactly the present files were collected."""
        return f"collected-{fingerprint()}.json"

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name


def fingerprint() -> str:
    """Of the contents of all files, as they lie in the packages."""
    digest = sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list(None), key=lambda found: found[0]):
            digest.update(name.encode() + b"\0" + Path(storage.path(name)).read_bytes())
    return digest.hexdigest()[:20]


def are_collected() -> bool:
    """Whether browsers get what was collected."""
    files: Any = staticfiles_storage
    return bool(files.hashed_files)
