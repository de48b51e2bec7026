"""Structured output: what may be asked for, and what is made of the model's answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.api.formats import MAX_ANSWER_CHARS, Format, InvalidStructuredOutput, format_of, repair_prompt
from gateway.api.schemas import Mismatch
from gateway.errors import InvalidRequest

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
NUMBERS = {"type": "array", "items": {"type": "integer"}}


def with_schema(schema: object, **fields: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "point", "schema": schema, **fields}}


def form(schema: object = None) -> Format:
    found = format_of({"type": "json_object"} if schema is None else with_schema(schema))
    assert found is not None
    return found


def refused(response_format: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        format_of(response_format)
    return caught.value


def mismatch(answer: str, schema: object = None) -> Mismatch:
    found = form(schema).check(answer)
    assert isinstance(found, Mismatch)
    return found


@pytest.mark.parametrize("response_format", [None, {"type": "text"}])
def test_text_is_no_format(response_format: dict[str, Any] | None) -> None:
    assert format_of(response_format) is None


@pytest.mark.parametrize(
    ("response_format", "param"),
    [
        ({}, "response_format.type"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {}}, "response_format.json_schema.name"),
        (with_schema(POINT, name="a b"), "response_format.json_schema.name"),
        (with_schema(POINT, description=1), "response_format.json_schema.description"),
        (with_schema([]), "response_format.json_schema.schema"),
        (with_schema({"type": "strng"}), "response_format.json_schema.schema"),
        (with_schema({"$ref": "http://example.com/s"}), "response_format.json_schema.schema"),
    ],
)
def test_a_bad_format_is_refused_by_its_place(response_format: dict[str, Any], param: str) -> None:
    assert refused(response_format).param == param


def test_a_schema_may_stand_flat_as_in_the_responses_api() -> None:
    flat = {"type": "json_schema", "name": "point", "schema": POINT, "strict": True}
    found = format_of(flat, "text.format")
    assert found is not None
    assert found.check('{"x": 1}') == '{"x": 1}'


def test_a_schema_may_be_missing() -> None:
    found = format_of({"type": "json_schema", "json_schema": {"name": "any"}})
    assert found is not None
    assert isinstance(found.check("[]"), Mismatch)


def test_the_schema_stands_in_the_instructions() -> None:
    found = format_of(with_schema(POINT, description="A place."))
    assert found is not None
    intro, schema, only = found.instructions().splitlines()
    assert "point (A place.)" in intro
    assert json.loads(schema) == POINT
    assert "nothing but the JSON" in only


def test_json_object_needs_no_schema() -> None:
    assert "one JSON object" in form().instructions()


@pytest.mark.parametrize(
    "answer",
    [
        '{"x": 1}',
        ' \n{"x": 1}\n',
        '```json\n{"x": 1}\n```',
        '```\n{"x": 1}\n```\nI hope that {this} helps [1].',
        'Here it is:\n\n{"x": 1}\n\nAnything else?',
        'First an [example], {"y": 2222222222222}, then: {"x": 1}',
        '```json\n{"draft": "{"\n```\n```json\n{"x": 1}\n```',
        '<think>Maybe {"x": 11111}? No.</think>\n{"x": 1}',
        'Maybe {"x": 11111}? No.</think>{"x": 1}',
        "<think>{</think>" + '{"x": 1}',
    ],
)
def test_what_stands_around_the_json_is_taken_off(answer: str) -> None:
    assert form(POINT).check(answer) == '{"x": 1}'


def test_the_json_stays_as_the_model_wrote_it() -> None:
    assert form().check('{ "a" : 1.50,\n"é": "\\u00e9" }') == '{ "a" : 1.50,\n"é": "\\u00e9" }'


def test_a_list_is_taken_where_the_schema_wants_one() -> None:
    assert form(NUMBERS).check("The list [1, 2] it is.") == "[1, 2]"


def test_a_scalar_is_taken_where_the_schema_wants_one() -> None:
    assert form({"enum": ["yes", "no"]}).check(' "yes"\n') == '"yes"'


def test_braces_and_fences_inside_strings_are_text() -> None:
    text = '{"x": "} ``` {", "y": "</think>"}'
    assert form().check(f"```json\n{text}\n```") == text


def test_a_piece_of_a_broken_answer_is_not_the_answer() -> None:
    assert mismatch('{"a": {"b": 1}, "c": ').rule == "it holds no complete JSON"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("No.", "it holds no complete JSON"),
        ("", "it holds no complete JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"a": NaN}', "a number is not finite"),
        ('{"a": 1e999}', "a number is not finite"),
        ('{"a": "\\ud800"}', "a string holds half a surrogate pair"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "it is nested more than 100 levels deep"),
        ('{"a": ' + "[" * 100_000, "it holds no complete JSON"),
        ("{" + " " * MAX_ANSWER_CHARS + "}", "it is longer than 1,000,000 characters"),
    ],
)
def test_what_cannot_be_used_is_named(answer: str, rule: str) -> None:
    assert mismatch(answer).rule == rule


def test_a_mismatch_names_the_rule_of_the_schema() -> None:
    assert mismatch('{"x": "secret"}', POINT).rule == "the schema's rule /properties/x/type is broken"
    assert "at $.x" in mismatch('{"x": "secret"}', POINT).reason


def test_the_error_says_what_failed_and_nothing_of_the_answer() -> None:
    error = InvalidStructuredOutput(mismatch('{"x": "secret"}', POINT))
    assert (error.status, error.code, error.headers()) == (
        502,
        "invalid_structured_output",
        {"x-should-retry": "false"},
    )
    assert "/properties/x/type" in error.message
    assert "secret" not in error.message


def test_the_repair_prompt_holds_the_conversation_the_answer_and_the_fault() -> None:
    prompt = repair_prompt("User:\nHi\n\nAssistant:", '{"x": "1"}', mismatch('{"x": "1"}', POINT))
    assert prompt.startswith('User:\nHi\n\nAssistant:\n{"x": "1"}\n\nSystem:\n')
    assert 'at $.x: "1" is not of type "integer"' in prompt
    assert prompt.endswith("\n\nAssistant:")


@pytest.mark.parametrize("unit", ["[", "{", '["', '{"a":', "{}", '["\\"', "[" * 990 + "9" * 5000, "</think>"])
def test_an_answer_of_nothing_but_beginnings_is_read_in_one_go(unit: str) -> None:
    mismatch(unit * (100_000 // len(unit)), NUMBERS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
CHATTER = st.text(st.characters(exclude_characters='{}[]"', codec="utf-8")).filter(lambda text: "</think>" not in text)


@settings(deadline=None)
@example("", {"</think>": []}, "0", "")
@given(CHATTER, st.dictionaries(st.text(), JSON), CHATTER, st.sampled_from(["", "```", "```json\n"]))
def test_any_object_comes_back_out_of_any_chatter(before: str, value: Any, after: str, fence: str) -> None:
    text = json.dumps(value)
    assert form().check(f"{before}{fence}{text}\n{fence and '```'}{after}") == text


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 1]))
def test_any_json_alone_comes_back(value: object, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert form({}).check(f"\n{text} ") == text
