"""A log never holds a secret, or what a member wrote."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

LOGGERS = ("logging.getLogger('django.request')", "structlog.get_logger('gateway')")
SECRETS = ("xg-0123456789-0123456789abcdef", "eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl", "Bearer abcdef")
FAIL = """
try:
    raise ValueError("my prompt")
except ValueError:
    {logger}.error("it failed", exc_info=True)
"""
END = "-- the end of a part --"


def logged(*parts: str, form: str) -> list[str]:
    """What a process with our settings writes to standard error for each part of its program."""
    end = f"import sys; print({END!r}, file=sys.stderr, flush=True)"
    program = "\n".join(["import logging, django, structlog", "django.setup()", *(f"{part}\n{end}" for part in parts)])
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "GATEWAY_LOG_FORMAT": form,
        "GATEWAY_LOG_LEVEL": "INFO",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    texts = done.stderr.split(END)
    assert len(texts) == len(parts) + 1
    return texts[:-1]


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_logged_without_its_message(form: str) -> None:
    for text in logged(*(FAIL.format(logger=logger) for logger in LOGGERS), form=form):
        assert "it failed" in text
        assert "ValueError" in text
        assert "<module>" in text
        assert "my prompt" not in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_looks_like_a_secret_is_blanked(form: str) -> None:
    parts = [f"logging.getLogger('x').warning('got %s here', {secret!r})" for secret in SECRETS]
    for text, secret in zip(logged(*parts, form=form), SECRETS, strict=True):
        assert "[secret]" in text
        assert secret not in text
