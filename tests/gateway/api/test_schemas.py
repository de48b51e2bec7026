"""A client's JSON schema: bounded, fetched from nowhere, and what it says of values that do not fit."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from gateway.api.schemas import MAX_COST, Mismatch, Schema, compiled
from gateway.errors import InvalidRequest

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}}},
    "required": ["name"],
}


def schema(source: object) -> Schema:
    return compiled(source, param="s")


def refused(source: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        schema(source)
    return caught.value


def misfit(source: dict[str, Any], value: object) -> Mismatch:
    found = schema(source).mismatch(value)
    assert found is not None
    return found


def twice_each(levels: int, keyword: str) -> dict[str, Any]:
    """References in a row, each used twice: 2^levels steps where they are simply followed."""
    rooms = {str(at): {keyword: [{"$ref": f"#/$defs/{at + 1}"}] * 2} for at in range(levels)}
    return {"$ref": "#/$defs/0", "$defs": {**rooms, str(levels): {"type": "string"}}}


def nested(levels: int, leaf: object, key: str = "a") -> Any:
    for _ in range(levels):
        leaf = {key: leaf}
    return leaf


def test_what_fits_has_no_mismatch() -> None:
    assert schema(PERSON).mismatch({"name": "Li", "pets": ["cat"]}) is None


def test_a_mismatch_tells_the_model_the_place_and_the_value() -> None:
    assert misfit(PERSON, {"name": "Li", "pets": ["cat", "eel"]}).reason.startswith('at $.pets[1]: "eel" is not one of')


def test_the_rule_for_the_client_quotes_nothing_of_the_value() -> None:
    found = misfit(PERSON, {"name": "Li", "pets": ["eel"]})
    assert found.rule == "the schema's rule /properties/pets/items/enum is broken"
    assert "eel" not in repr(found)


def test_unexpected_properties_are_not_named_to_the_client() -> None:
    assert "secret" not in misfit({"additionalProperties": False}, {"secret": 1}).rule


@pytest.mark.parametrize("source", [None, [], "object", True])
def test_a_schema_is_an_object(source: object) -> None:
    assert refused(source).param == "s"


@pytest.mark.parametrize(
    "source",
    [
        {"type": "strng"},
        {"properties": {"a": {"required": True}}},
        {"pattern": "("},
        {"pattern": "((a{1000}){1000}){1000}"},
        {"$ref": "#/$defs/missing"},
        {"$schema": "http://example.com/mine"},
        {"properties": {"a": {"$id": "http://example.com/a"}}},
        {"maximum": float("inf")},
    ],
)
def test_an_invalid_schema_is_refused(source: object) -> None:
    assert refused(source).code == "invalid_json_schema"


@pytest.mark.parametrize("reference", ["http://{}/s.json", "file:///etc/hosts", "other.json", "//{}/s", "#anchor"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_reference_to_elsewhere_is_refused_and_never_fetched(keyword: str, reference: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        refused({"properties": {"a": {keyword: reference.format(address)}}})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_meta_schema_is_never_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        refused({"$schema": f"http://127.0.0.1:{server.getsockname()[1]}/s.json"})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_property_may_be_called_ref() -> None:
    assert schema({"properties": {"$ref": {"type": "string"}}}).mismatch({"$ref": "http://example.com"}) is None


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
)
def test_known_drafts_are_honoured(draft: str) -> None:
    assert schema({"$schema": draft, "type": "object"}).mismatch([]) is not None


def test_references_within_the_schema_are_followed() -> None:
    source = {"properties": {"a": {"$ref": "#/$defs/a~1b%20c"}}, "$defs": {"a/b c": {"type": "integer"}}}
    assert schema(source).mismatch({"a": 1}) is None
    assert schema(source).mismatch({"a": "1"}) is not None


def test_a_recursive_schema_is_followed() -> None:
    source = {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": False}
    assert schema(source).mismatch(nested(20, {})) is None
    assert misfit(source, nested(20, {"b": 1})).rule == "it does not fit the schema"


@pytest.mark.parametrize("keyword", ["anyOf", "allOf", "oneOf"])
def test_references_that_multiply_are_refused(keyword: str) -> None:
    assert f"{MAX_COST:,}" in refused(twice_each(40, keyword)).message


@pytest.mark.parametrize("keyword", ["anyOf", "allOf"])
def test_recursion_that_multiplies_ends(keyword: str) -> None:
    node = {"type": "object", "properties": {"a": {keyword: [{"$ref": "#/$defs/n"}] * 2}}}
    assert misfit({"$ref": "#/$defs/n", "$defs": {"n": node}}, nested(60, "leaf"))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=a)(a|aa)+$", r"^(a*)*\1$"])
def test_a_pattern_that_explodes_ends(pattern: str) -> None:
    assert misfit({"items": {"pattern": pattern}}, ["a" * 5000 + "b"] * 20)


def test_patterns_may_look_around() -> None:
    source = {"pattern": r"^(?!\.)[a-z.]+@[a-z.]+$"}
    assert schema(source).mismatch("a.b@c.d") is None
    assert schema(source).mismatch(".b@c.d") is not None


def test_a_schema_may_not_be_nested_without_end() -> None:
    assert "levels deep" in refused(nested(100, {}, "items")).message


def test_a_chain_of_references_without_end_is_refused() -> None:
    chain = {str(at): {"$ref": f"#/$defs/{at + 1}"} for at in range(5000)}
    refused({"$ref": "#/$defs/0", "$defs": {**chain, "5000": {}}})


def test_a_schema_may_not_be_long_without_end() -> None:
    assert "characters" in refused({"description": "x" * 200_001}).message


def test_a_schema_may_not_have_patterns_without_end() -> None:
    assert "patterns" in refused({"patternProperties": {f"^{at}$": {} for at in range(101)}}).message
    assert "patterns" in refused({"allOf": [{"pattern": f"^{at}$"} for at in range(101)]}).message


def test_large_patterns_are_taken() -> None:
    assert schema({"pattern": r"^\w{1,255}$"}).mismatch("x" * 256) is not None


def test_a_value_that_is_too_large_for_its_schema_is_not_checked() -> None:
    source: dict[str, Any] = {"items": {"properties": {str(at): {} for at in range(10_000)}}}
    assert misfit(source, [0] * 20_000).rule == "it is too large to be checked"
