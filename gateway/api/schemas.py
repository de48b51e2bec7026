"""A client's JSON schema, bounded: nothing is fetched, and no schema or value can keep the process busy.

Facts about jsonschema-rs 0.60, by trial: it fetches a `$ref` unless `offline`; a valid-or-not question remembers what
recursive references answered, yet takes a reference that is used twice twice (30 references in a row, each used twice,
are 2^30 steps); finding the first error remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from gateway.api.loose_json import BadJSON, children, depth, encode
from gateway.errors import InvalidRequest

MAX_CHARS = 200_000
MAX_DEPTH = 64
MAX_COST = 20_000
"""Subschemas, those behind a reference counted each time it is used."""
MAX_WORK = 100_000_000
"""Subschemas times values: about a second at the very worst."""
MAX_LOCATING_WORK = 50_000
MAX_PATTERNS = 100
"""Each may take megabytes of memory and milliseconds to compile."""
MAX_REASON_CHARS = 500
MAX_RULE_CHARS = 200

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# Patterns with look-around backtrack, a bounded number of steps; all others run in linear time.
PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1 << 22, dfa_size_limit=1 << 22)


@dataclass(frozen=True)
class Mismatch:
    """Why a value does not fit.

    `rule` speaks of the schema alone and may be shown to the client; `reason` quotes the value: for the model only.
    """

    rule: str
    reason: str = field(repr=False)


NO_FIT = Mismatch("it does not fit the schema", "it does not fit the schema")
TOO_LARGE = Mismatch("it is too large to be checked", "it is too large to be checked")


@dataclass(frozen=True)
class Schema:
    """A compiled schema, the JSON it came from, its number of patterns, and what it costs to apply (in subschemas)."""

    source: dict[str, Any] = field(repr=False)
    patterns: int
    _validator: jsonschema_rs.Validator = field(repr=False)
    _cost: int
    _recursive: bool

    def mismatch(self, value: object) -> Mismatch | None:
        """None where the value (JSON that `loose_json.encode` takes) fits."""
        work = self._cost * _count(value)
        if work > MAX_WORK:
            return TOO_LARGE
        if self._validator.is_valid(value):
            return None
        if self._recursive or work > MAX_LOCATING_WORK:
            return NO_FIT
        return self._first_error(value)

    def _first_error(self, value: object) -> Mismatch:
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            path = "".join(f"/{step}" for step in error.schema_path)[:MAX_RULE_CHARS]
            reason = f"at {_place(error.instance_path)}: {error.message}"[:MAX_REASON_CHARS]
            return Mismatch(f"the schema's rule {path} is broken", reason)
        return NO_FIT


def compiled(source: object, *, param: str) -> Schema:
    """The schema, by its own draft, else 2020-12. Raises `InvalidRequest` naming `param`, where it was given."""
    if not isinstance(source, dict):
        raise InvalidRequest(f"'{param}' must be a JSON schema: an object.", param=param, code="invalid_type")
    _check_size(source, param)
    measure = _Measure(source, param)
    try:
        cost = measure.of(source)
    except RecursionError:
        raise _refused(param, "its references are nested too deep") from None
    if measure.patterns > MAX_PATTERNS:
        raise _refused(param, f"it has more than {MAX_PATTERNS} patterns")
    if cost > MAX_COST:
        raise _refused(param, f"its references expand to more than {MAX_COST:,} subschemas")
    try:
        validator = jsonschema_rs.validator_for(source, offline=True, pattern_options=PATTERNS)
    except jsonschema_rs.ValidationError as error:
        raise _refused(param, f"not valid at {_place(error.instance_path)} ({error.kind.name})") from None
    except ValueError:
        raise _refused(param, "it cannot be compiled") from None
    return Schema(source, measure.patterns, validator, cost, measure.recursive)


class _Measure:
    """What a schema costs. Anything that might be a subschema is taken for one."""

    def __init__(self, root: dict[str, Any], param: str) -> None:
        self._root = root
        self._param = param
        self._known: dict[int, int] = {}
        self._open: set[int] = set()
        self.recursive = False
        self.patterns = 0

    def of(self, node: object) -> int:
        key = id(node)
        if key in self._open:
            self.recursive = True
            return 1
        if key not in self._known:
            self._open.add(key)
            self.patterns += _patterns(node)
            # Capped, because the true number may have any number of digits.
            self._known[key] = min(MAX_COST + 1, 1 + sum(map(self.of, self._applied(node))))
            self._open.remove(key)
        return self._known[key]

    def _applied(self, node: object) -> Iterator[object]:
        yield from (child for child in children(node) if isinstance(child, dict | list))
        if isinstance(node, dict):
            for keyword in REFERENCES:
                if isinstance(node.get(keyword), str):
                    yield self._target(node[keyword])
            if node is not self._root and isinstance(node.get("$id"), str):
                raise _refused(self._param, "'$id' may stand only at its top")

    def _target(self, reference: str) -> object:
        if reference != "#" and not reference.startswith("#/"):
            raise _refused(self._param, "'$ref' may only point into the schema itself ('#' or '#/...')")
        node: object = self._root
        for step in reference.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, dict) and name in node:
                node = node[name]
            else:
                raise _refused(self._param, "a '$ref' points to nothing")
        return node


def _patterns(node: object) -> int:
    if not isinstance(node, dict):
        return 0
    by_pattern = node.get("patternProperties")
    return isinstance(node.get("pattern"), str) + (len(by_pattern) if isinstance(by_pattern, dict) else 0)


def _check_size(source: dict[str, Any], param: str) -> None:
    if depth(source) > MAX_DEPTH:
        raise _refused(param, f"it is nested more than {MAX_DEPTH} levels deep")
    try:
        text = encode(source)
    except BadJSON as error:
        raise _refused(param, str(error)) from None
    if len(text) > MAX_CHARS:
        raise _refused(param, f"it is longer than {MAX_CHARS:,} characters")


def _refused(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The JSON schema '{param}' cannot be used: {reason}.", param=param, code="invalid_json_schema"
    )


def _count(value: object) -> int:
    level, count = [value], 0
    while level:
        count += len(level)
        level = [child for parent in level for child in children(parent)]
    return count


def _place(path: list[str | int]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
