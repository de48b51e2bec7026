"""The school's list of models, read leniently."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import SchoolMalformed
from gateway.school.catalog import Model, parse_models


def model(**fields: Any) -> Model:
    (only,) = parse_models({"models": [{"value": "m", **fields}]})
    return only


def test_all_fields_are_read() -> None:
    entry = {
        "value": "gpt-5.6-luna",
        "label": "GPT 5.6 Luna",
        "integral": "2.5",
        "online": True,
        "thinking": 1,
        "multimodal": "1",
        "plugin": "true",
        "expired": "2026-12-31",
        "unheard-of": {"x": 1},
    }
    assert parse_models({"models": [entry]}) == [
        Model("gpt-5.6-luna", "GPT 5.6 Luna", "2.5", 2.5, True, True, True, True, "2026-12-31")
    ]


def test_a_plain_string_is_a_model_and_ids_may_be_chinese() -> None:
    assert parse_models({"models": ["通义千问-max"]}) == [Model("通义千问-max", "通义千问-max")]


def test_missing_fields_mean_free_and_incapable() -> None:
    assert model() == Model("m", "m", "", 0.0, False, False, False, False, None)


@pytest.mark.parametrize("flag", [False, 0, "0", "false", "", None, "no", [], 2])
def test_what_is_not_true_is_false(flag: Any) -> None:
    assert model(online=flag).online is False


@pytest.mark.parametrize(
    ("integral", "points"), [("", 0.0), (None, 0.0), ("3", 3.0), (3, 3.0), ("2 each", None), ("nan", None)]
)
def test_the_price_is_kept_and_parsed(integral: Any, points: float | None) -> None:
    assert model(integral=integral).points == points


@pytest.mark.parametrize(
    ("expired", "moment"),
    [
        ("2026-06-30 23:59:59", "2026-06-30T23:59:59+08:00"),
        ("2026-06-30", "2026-06-30T23:59:59+08:00"),
        ("2026-06-30T12:00:00Z", "2026-06-30T12:00:00+00:00"),
        ("next year", None),
        ("", None),
    ],
)
def test_an_expiry_is_read_by_the_schools_clock(expired: str, moment: str | None) -> None:
    read = model(expired=expired).expires_at
    assert (read and read.isoformat()) == moment


def test_a_model_is_over_after_its_expiry() -> None:
    assert model(expired="2020-01-01").is_over
    assert not model(expired="2999-01-01").is_over
    assert not model(expired="next year").is_over


def test_an_empty_expiry_is_none() -> None:
    assert model(expired="").expired is None


@pytest.mark.parametrize("broken", [None, 5.5j, [], {}, {"value": None}, {"value": ""}, {"label": "no id"}, True, ""])
def test_a_broken_entry_does_not_take_the_others_away(broken: Any) -> None:
    assert [model.id for model in parse_models({"models": ["a", broken, {"value": "b"}]})] == ["a", "b"]


def test_an_id_that_comes_twice_is_listed_once() -> None:
    assert parse_models({"models": [{"value": "a", "label": "first"}, "a"]}) == [Model("a", "first")]


@pytest.mark.parametrize("config", [None, [], {}, {"models": None}, {"models": {}}, "text"])
def test_without_a_list_of_models_the_answer_is_malformed(config: Any) -> None:
    with pytest.raises(SchoolMalformed):
        parse_models(config)
