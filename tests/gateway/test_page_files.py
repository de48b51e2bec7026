"""Stylesheets, scripts and fonts: as they lie in the packages, and as `make setup` collects them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import RequestFactory
from pytest_django import Settings
from whitenoise.middleware import WhiteNoiseMiddleware

from gateway import page_files
from gateway.management import bootstrap
from gateway.page_files import PageFiles

STYLE = "gateway/pages.css"


def asked(path: str) -> HttpResponse:
    """What a browser gets that asks now."""
    nothing_else = WhiteNoiseMiddleware(lambda request: HttpResponse(status=404))
    request: HttpRequest = RequestFactory().get(path, headers={"accept-encoding": "gzip"})
    answer: HttpResponse = nothing_else(request)
    return answer


@pytest.fixture
def folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are collected; nothing is there."""
    settings.STATIC_ROOT = tmp_path
    monkeypatch.setattr(staticfiles_storage, "_wrapped", PageFiles())
    return tmp_path


def test_what_was_not_collected_keeps_its_name(folder: Path) -> None:
    assert not page_files.are_collected()
    assert static(STYLE) == f"/static/{STYLE}"
    assert asked(static(STYLE)).status_code == 200


def test_what_the_set_up_collects_is_compressed_and_kept_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "run", lambda _python, _manage, *command: call_command(*command))
    bootstrap.collect_page_files()
    monkeypatch.setattr(staticfiles_storage, "_wrapped", PageFiles())
    assert re.fullmatch(r"/static/gateway/pages\.[0-9a-f]{12}\.css", static(STYLE))
    answer = asked(static(STYLE))
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert asked(f"/static/{STYLE}").status_code == 200


@pytest.mark.parametrize(("state", "name"), [("now", "pages.1.css"), ("before", "pages.css")])
def test_what_has_changed_since_is_not_taken_from_what_was_collected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, state: str, name: str
) -> None:
    manifest = {"version": "1.1", "hash": "", "paths": {STYLE: "gateway/pages.1.css"}}
    (folder / f"collected-{state}.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(page_files, "fingerprint", lambda: "now")
    monkeypatch.setattr(staticfiles_storage, "_wrapped", PageFiles())
    assert static(STYLE) == f"/static/gateway/{name}"
