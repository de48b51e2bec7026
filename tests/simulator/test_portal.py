"""The portal, and the API as another origin."""

from __future__ import annotations

import httpx
import pytest

from tests.simulator.clients import Member, Simulator, member_of


@pytest.fixture
def member(simulator: Simulator) -> Member:
    """A member of the generation whose API is another origin than the portal."""
    simulator.settings(wire="2025")
    return member_of(simulator)


def preflight(member: Member, origin: str, headers: str = "jm-token,sdp-app-session,content-type") -> httpx.Response:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return member.http.options(f"{member.api_url}/chat/saveSession", headers={"Origin": origin, **asked})


def test_the_portals_script_may_send_the_token(simulator: Simulator, member: Member) -> None:
    answer = preflight(member, simulator.portal)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == simulator.portal


def test_a_preflight_is_no_call(simulator: Simulator, member: Member) -> None:
    preflight(member, simulator.portal)
    assert simulator.user()["calls"] == []


def test_other_origins_and_other_headers_are_not_allowed(simulator: Simulator, member: Member) -> None:
    assert preflight(member, "http://evil.example").status_code == 400
    assert preflight(member, simulator.portal, "x-other").status_code == 400


def test_refusals_can_be_read_by_the_portals_script(simulator: Simulator, member: Member) -> None:
    answer = member.http.get(f"{member.api_url}/chat/config", headers={"Origin": simulator.portal})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == simulator.portal


def test_the_sign_ons_host_leads_to_the_portal(simulator: Simulator) -> None:
    assert simulator.http.get(f"{simulator.sign_on}/").headers["location"] == f"{simulator.portal}/"


def test_other_host_names_are_not_served(simulator: Simulator) -> None:
    answer = simulator.http.get(f"{simulator.portal}/", headers={"Host": "school.example"})
    assert answer.status_code == 404


def test_the_page_gets_no_token_without_a_session(simulator: Simulator) -> None:
    assert simulator.http.get(f"{simulator.portal}/v3/user-info").status_code == 401
