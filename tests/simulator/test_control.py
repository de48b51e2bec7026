"""The control of the simulator, and that its documentation is complete."""

from __future__ import annotations

import dataclasses
from typing import get_args

import msgspec
import pytest

import simulator as package
from simulator.faults import SHAPES, FaultName
from simulator.settings import Settings
from simulator.steering import Directive
from tests.simulator.clients import USERNAME, Member, Simulator, member_of


def documented() -> set[str]:
    assert package.__doc__ is not None
    return {word.strip("`,:.\"=[]'") for line in package.__doc__.split() for word in line.split("=")}


def test_every_setting_is_documented() -> None:
    assert {field.name for field in msgspec.structs.fields(Settings)} <= documented()


def test_every_fault_and_its_shapes_are_documented() -> None:
    assert set(get_args(FaultName)) <= documented()
    assert {shape for shapes in SHAPES.values() for shape in shapes} <= {word.rstrip(";") for word in documented()}


def test_every_directive_is_documented() -> None:
    assert {field.name for field in dataclasses.fields(Directive)} <= documented()


@pytest.mark.parametrize("change", [{"unknown": 1}, {"wire": "2024"}, {"interval": "soon"}])
def test_a_change_of_settings_that_makes_no_sense_is_refused(simulator: Simulator, change: dict[str, object]) -> None:
    answer = simulator.http.post(f"{simulator.portal}/_sim/settings", json=change)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "fault", [{"name": "unknown"}, {"name": "cap", "shape": "http"}, {"name": "hang", "shape": "x"}]
)
def test_a_fault_that_makes_no_sense_is_refused(simulator: Simulator, fault: dict[str, object]) -> None:
    answer = simulator.http.post(f"{simulator.portal}/_sim/faults", json=fault)
    assert answer.status_code == 400


def test_a_part_of_the_settings_can_be_changed(simulator: Simulator) -> None:
    simulator.settings(language="zh")
    settings = simulator.state()["settings"]
    assert (settings["language"], settings["max_sessions"]) == ("zh", 50)


def test_a_reset_returns_to_the_start(simulator: Simulator, member: Member) -> None:
    member.create()
    simulator.settings(language="zh")
    simulator.fault("hang")
    simulator.post("users", username="Other.Person24", password="x")
    simulator.post("reset")
    state = simulator.state()
    assert (state["settings"]["language"], state["faults"], list(state["users"])) == ("en", [], [USERNAME])
    assert state["users"][USERNAME]["sessions"] == []


def test_an_unknown_user_is_not_found(simulator: Simulator) -> None:
    assert simulator.http.post(f"{simulator.portal}/_sim/users/nobody/token").status_code == 404


def test_the_state_counts_living_tokens(simulator: Simulator, member: Member) -> None:
    member_of(simulator)
    assert simulator.user()["tokens"] == 2
    simulator.post(f"users/{USERNAME}/revoke", tokens=True)
    assert simulator.user()["tokens"] == 0


def test_the_state_shows_no_password(simulator: Simulator) -> None:
    assert "password" not in simulator.user()


def test_a_wait_answers_when_its_calls_were_made(simulator: Simulator, member: Member) -> None:
    member.get("chat/config")
    simulator.wait(user=USERNAME, call="config", status="ok", count=1)


def test_a_wait_in_vain_says_so(simulator: Simulator) -> None:
    answer = simulator.http.get(f"{simulator.portal}/_sim/wait", params={"user": USERNAME, "count": 1, "timeout": 0})
    assert answer.status_code == 408


def test_control_is_on_both_hosts(simulator: Simulator) -> None:
    assert simulator.http.get(f"{simulator.sign_on}/_sim/state").status_code == 200


def test_session_ids_are_not_given_twice(simulator: Simulator, member: Member) -> None:
    first = member.create()["id"]
    simulator.post("reset")
    assert member_of(simulator).create()["id"] > first
