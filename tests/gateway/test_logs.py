"""A log never holds a secret, or what a member wrote."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT

PROGRAM = """
import logging, django, structlog
django.setup()
{code}
"""


def logged(code: str, form: str) -> str:
    """What a process with our settings writes to standard error."""
    import os

    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "GATEWAY_LOG_FORMAT": form,
        "GATEWAY_LOG_LEVEL": "INFO",
    }
    program = PROGRAM.format(code=code)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stderr


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("logger", ["logging.getLogger('django.request')", "structlog.get_logger('gateway')"])
def test_an_exception_is_logged_without_its_message(form: str, logger: str) -> None:
    code = f"""
try:
    raise ValueError("my prompt")
except ValueError:
    {logger}.error("it failed", exc_info=True)
"""
    text = logged(code, form)
    assert "it failed" in text
    assert "ValueError" in text
    assert "<module>" in text
    assert "my prompt" not in text


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "secret", ["xg-0123456789-0123456789abcdef", "eyJhbGciOiJI.eyJzdWIiOiJh.c2lnbmF0dXJl", "Bearer abcdef"]
)
def test_what_looks_like_a_secret_is_blanked(form: str, secret: str) -> None:
    text = logged(f"logging.getLogger('x').warning('got %s here', {secret!r})", form)
    assert "[secret]" in text
    assert secret not in text
