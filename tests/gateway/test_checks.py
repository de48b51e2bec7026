"""What `check --deploy` warns of, besides Django's own."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


def warnings(*, deploy: bool = True) -> list[str]:
    found = run_checks(tags=["security"], include_deployment_checks=deploy)
    return [str(each.id) for each in found if str(each.id).startswith("gateway.")]


@pytest.mark.parametrize(
    ("hosts", "public_url", "expected"),
    [
        (["*"], "", ["gateway.W001"]),
        (["*"], "https://gateway.example.org", []),
        ([".example.org"], "", []),
    ],
)
def test_links_that_follow_the_host_header_are_warned_of(
    hosts: list[str], public_url: str, expected: list[str], settings: Settings
) -> None:
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = hosts, public_url
    assert warnings() == expected
    assert warnings(deploy=False) == []


@pytest.mark.parametrize(
    ("internal_url", "expected"),
    [
        ("", []),
        ("http://10.0.0.7:8000", ["gateway.W002"]),
        ("http://web:8000", ["gateway.W002"]),
        ("https://web.example.org", []),
        ("http://localhost:8000", []),
        ("http://127.0.0.1:8000", []),
        ("http://[::1]:8000", []),
    ],
)
def test_live_logins_in_clear_on_the_network_are_warned_of(
    internal_url: str, expected: list[str], settings: Settings
) -> None:
    settings.INTERNAL_URL = internal_url
    assert warnings() == expected
