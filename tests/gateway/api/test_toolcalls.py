"""Calls read out of an answer as it comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.api.toolcalls import CallReader, Item, ToolCall, message_fields
from gateway.api.tools import Toolbox, toolbox

PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": PLACE}},
    {"type": "function", "function": {"name": "note"}},
]
GOOD = '<tool_call>\n{"name": "weather", "arguments": {"city": "Suzhou"}}\n</tool_call>'
NOTE = '<tool_call>{"name": "note", "arguments": {"text": "</tool_call> \\" <tool_call>{"}}</tool_call>'
BROKEN = '<tool_call>{"name": "weather", "arguments": {"city": 5}}</tool_call>'
Readable = tuple[str, str]


def box(**fields: Any) -> Toolbox:
    found = toolbox(TOOLS, **fields)
    assert found is not None
    return found


def reader(**fields: Any) -> CallReader:
    return CallReader(box(**fields))


def readable(items: list[Item]) -> list[str | Readable]:
    """Without the random ids, and text in one piece."""
    found: list[str | Readable] = []
    for item in items:
        if isinstance(item, ToolCall):
            found.append((item.name, item.arguments))
        elif found and isinstance(found[-1], str):
            found[-1] += item
        else:
            found.append(item)
    return found


def read(*pieces: str, into: CallReader | None = None) -> list[str | Readable]:
    """All items of an answer, without a repair turn where one is wanted."""
    into = into or reader()
    items = [item for piece in pieces for item in into.feed(piece)] + into.finish()
    return readable(items + (into.repaired("") if into.wants_repair else []))


SUZHOU = ("weather", '{"city":"Suzhou"}')


def test_text_passes_at_once() -> None:
    assert reader().feed("Hello, ") == ["Hello, "]


def test_only_a_possible_beginning_of_the_tag_is_held_back() -> None:
    calls = reader()
    assert calls.feed("a <tool_") == ["a "]
    assert calls.feed("box> b <") == ["<tool_box> b "]
    assert calls.finish() == ["<"]


def test_white_space_is_not_held_without_end() -> None:
    calls = reader()
    assert calls.feed(" " * 200) == []
    assert calls.feed(" ") == [" " * 201]


def test_a_call_is_given_out_when_it_is_closed() -> None:
    calls = reader()
    assert readable(calls.feed("Wait. " + GOOD.removesuffix(">"))) == ["Wait. "]
    assert readable(calls.feed(">")) == [SUZHOU]


def test_several_calls_come_in_order_without_the_white_space_between() -> None:
    assert [item[0] for item in read(f"Two:{GOOD}\n\n{NOTE}\n")] == ["T", "weather", "note"]


def test_tags_inside_strings_belong_to_the_arguments() -> None:
    [call] = reader().feed(NOTE)
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"text": '</tool_call> " <tool_call>{'}


@pytest.mark.parametrize(
    "answer",
    [
        GOOD.removesuffix("</tool_call>"),
        GOOD.replace("tool_call", "TOOL_CALL"),
        "\n\n" + GOOD,
        GOOD + "\nThe weather is",
        GOOD + "\n<tool_response>{}</tool_response> It rains.",
        '<tool_call>```json\n{"name": "weather", "arguments": {"city": "Suzhou"}}\n```</tool_call>',
        '<tool_call>{"name": "weather", "parameters": {"city": "Suzhou"}}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Suzhou\\"}"}</tool_call>',
        '<tool_call>{"function": {"name": "weather", "arguments": {"city": "Suzhou"}}}</tool_call>',
        '<tool_call>[{"name": "weather", "arguments": {"city": "Suzhou"}}]</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {"city": "Suzhou"}}}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {"city": "Suzhou"}} I hope that helps.',
    ],
)
def test_a_call_is_read_however_a_model_writes_it(answer: str) -> None:
    assert read(answer) == [SUZHOU]


@pytest.mark.parametrize("between", ["\n", ",", "", "\n```\n```json\n", "</tool_call><tool_call>", "<tool_call>"])
def test_several_calls_may_stand_in_one_tag(between: str) -> None:
    call = '{"name": "weather", "arguments": {"city": "Suzhou"}}'
    assert read(f"<tool_call>{call}{between}{call}</tool_call>") == [SUZHOU, SUZHOU]


def test_a_list_of_calls_may_stand_in_one_tag() -> None:
    assert read('<tool_call>[{"name": "note"}, {"name": "note", "arguments": null}]') == [("note", "{}")] * 2


def test_line_breaks_inside_strings_are_mended() -> None:
    assert read('<tool_call>{"name": "note", "arguments": {"a": "x\ny"}}</tool_call>') == [("note", '{"a":"x\\ny"}')]


@pytest.mark.parametrize(
    "answer",
    [
        "The tag `<tool_call>` begins a call.",
        "```\n<tool_call>\nname\n</tool_call>\n```",
        "<tool_call> <tool_call>",
        "<tool_call>",
        "\n<tool_call>``",
        "<tool_call></tool_call>",
    ],
)
def test_a_tag_without_json_is_text(answer: str) -> None:
    calls = reader()
    assert readable(calls.feed(answer) + calls.finish()) == [answer]
    assert not calls.wants_repair


def test_a_mention_does_not_hide_a_call() -> None:
    assert read(f"I use <tool_call> now: {GOOD}") == ["I use <tool_call> now: ", SUZHOU]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"name": "weather", "arguments": {"city": 5}}', "at $.city: 5 is not of type"),
        ('{"name": "weather", "arguments": {}}', '"city" is a required property'),
        ('{"name": "wether", "arguments": {}}', "no such function to call. There are: weather, note."),
        ('{"name": "note", "arguments": [1]}', "must be a JSON object"),
        ('{"name": "note", "arguments": "{x"}', "arguments are not valid JSON"),
        ('{"name": "note", "arguments": {"a": 1}', "not valid JSON: Expecting ',' delimiter"),
        ('{"name": "note", "arguments": {"a": NaN}}', "not finite"),
        ('{"name": "note", "arguments": {"a": "\\ud800"}}', "surrogate"),
        ('{"name": "note", "arguments": ' + "[" * 3000, "nested too deep"),
        ('{"tool": "note"}', '"name" and "arguments"'),
        ("[]", '"name" and "arguments"'),
        ("[1]", '"name" and "arguments"'),
    ],
)
def test_a_broken_call_is_kept_with_the_reason(body: str, reason: str) -> None:
    calls = reader()
    assert calls.feed(f"<tool_call>{body}</tool_call>") + calls.finish() == []
    [broken] = calls.broken
    assert reason in broken.reason
    assert calls.wants_repair


def test_an_unclosed_quote_hides_no_later_call() -> None:
    calls = reader()
    assert read('<tool_call>{"name": "note}</tool_call>', GOOD, into=calls) == [
        SUZHOU,
        '<tool_call>{"name": "note}</tool_call>',
    ]


def test_a_broken_call_is_repaired_once() -> None:
    calls = reader()
    assert calls.feed("Wait." + BROKEN) + calls.finish() == ["Wait."]
    assert readable(calls.repaired(f"Sorry. {GOOD}")) == [SUZHOU]
    assert [call.name for call in calls.calls] == ["weather"]


def test_a_repair_may_come_without_tags() -> None:
    calls = reader()
    read(BROKEN, into=calls)
    assert readable(calls.repaired('```json\n{"name": "weather", "arguments": {"city": "Suzhou"}}\n```')) == [SUZHOU]


def test_a_repair_repeats_no_call_that_was_good() -> None:
    calls = reader()
    calls.feed(NOTE + BROKEN)
    calls.finish()
    assert readable(calls.repaired(GOOD + NOTE)) == [SUZHOU]


@pytest.mark.parametrize("repair", ["", "I cannot.", BROKEN])
def test_what_is_broken_for_good_is_text_as_it_was_written(repair: str) -> None:
    calls = reader()
    calls.feed(f"Wait. {BROKEN} Done.")
    calls.finish()
    assert calls.repaired(repair) == [f"{BROKEN} Done."]


def test_beside_a_good_call_only_the_broken_one_is_text() -> None:
    calls = reader()
    assert readable(calls.feed(f"{GOOD} and {BROKEN} done") + calls.finish()) == [SUZHOU]
    assert calls.repaired("") == [BROKEN]


def test_the_repair_prompt_holds_the_conversation_the_answer_and_the_faults() -> None:
    calls = reader()
    calls.feed(BROKEN)
    calls.finish()
    prompt = calls.repair_prompt("User:\nHi\n\nAssistant:")
    assert prompt.startswith(f"User:\nHi\n\nAssistant:\n{BROKEN}\n\nSystem:\n1 of your function calls")
    assert "1. The arguments of weather do not fit its parameters: at $.city" in prompt
    assert prompt.endswith("\n\nAssistant:")


def test_without_parallel_calls_only_the_first_counts() -> None:
    assert read(GOOD + NOTE, into=reader(parallel_tool_calls=False)) == [SUZHOU]
    two = '<tool_call>[{"name": "note"}, {"name": "note"}]</tool_call>'
    assert read(two, into=reader(parallel_tool_calls=False)) == [("note", "{}")]


def test_a_broken_first_call_is_the_only_one_to_repair() -> None:
    calls = reader(parallel_tool_calls=False)
    assert calls.feed(BROKEN + NOTE) + calls.finish() == []
    assert calls.repaired("") == [BROKEN + NOTE]


def test_where_a_call_is_required_text_is_held_and_dropped() -> None:
    assert read(f"Let me see. {GOOD} Done.", into=reader(tool_choice="required")) == [SUZHOU]


def test_a_required_call_may_come_without_tags() -> None:
    answer = '```json\n{"name": "weather", "arguments": {"city": "Suzhou"}}\n```'
    assert read(answer, into=reader(tool_choice="required")) == [SUZHOU]


def test_a_required_call_that_is_missing_is_asked_for() -> None:
    calls = reader(tool_choice="required")
    assert calls.feed("It rains.") + calls.finish() == []
    assert calls.wants_repair
    assert "calls no function" in calls.repair_prompt("Assistant:")
    assert readable(calls.repaired(GOOD + GOOD)) == [SUZHOU, SUZHOU]


def test_text_is_given_where_no_required_call_ever_comes() -> None:
    assert read(" It ", "rains. <tool", into=reader(tool_choice="required")) == [" It rains. <tool"]


def test_a_function_that_was_not_chosen_is_not_called() -> None:
    calls = reader(tool_choice={"type": "function", "function": {"name": "note"}})
    calls.feed(GOOD)
    assert "There are: note." in calls.broken[0].reason


def test_nothing_of_an_answer_is_shown() -> None:
    calls = reader()
    calls.feed(GOOD + BROKEN)
    assert "Suzhou" not in repr(calls.calls)
    assert "city" not in repr(calls.broken)


def test_the_first_delta_of_a_call_has_all_but_the_arguments() -> None:
    call = ToolCall("f", "{}")
    head = {"index": 2, "id": call.id, "type": "function", "function": {"name": "f", "arguments": ""}}
    assert call.deltas(2) == [
        {"tool_calls": [head]},
        {"tool_calls": [{"index": 2, "function": {"arguments": "{}"}}]},
    ]


def test_legacy_deltas_have_neither_index_nor_id() -> None:
    assert ToolCall("f", "{}").deltas(0, legacy=True) == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]


def test_a_message_holds_its_calls() -> None:
    call = ToolCall("f", "{}")
    function = {"name": "f", "arguments": "{}"}
    assert message_fields([call]) == {"tool_calls": [{"id": call.id, "type": "function", "function": function}]}
    assert message_fields([call], legacy=True) == {"function_call": function}


def test_ids_are_unlike() -> None:
    assert len({ToolCall("f", "{}").id for _ in range(100)}) == 100
    assert len(ToolCall("f", "{}").id) == len("call_") + 24


TAGS = ["<tool_call>", "</tool_call>", "<TOOL_CALL>", "<tool", "<"]
CHARACTERS = ["```", "\n", " ", " " * 150, "{", "}", '"', "\\", "[", "a", "é", "İ"]
FRAGMENTS = st.sampled_from([*TAGS, *CHARACTERS, GOOD, NOTE, BROKEN, '{"name": "note"}'])
ANSWERS = st.lists(FRAGMENTS, max_size=12).map("".join)
BOXES = st.sampled_from([{}, {"tool_choice": "required"}, {"parallel_tool_calls": False}])


@settings(deadline=None)
@given(ANSWERS, st.data(), BOXES)
@example('<tool_call>{"\\" </tool_call>', None, {})
def test_however_an_answer_is_cut_its_items_are_the_same(answer: str, data: Any, fields: dict[str, Any]) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(answer))))) if data else range(len(answer))
    ends = [0, *cuts, len(answer)]
    pieces = [answer[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    assert read(*pieces, into=reader(**fields)) == read(answer, into=reader(**fields))


@settings(deadline=None)
@given(ANSWERS, BOXES)
def test_without_a_good_call_the_answer_comes_whole(answer: str, fields: dict[str, Any]) -> None:
    items = read(*answer, into=reader(**fields))
    if all(isinstance(item, str) for item in items):
        assert "".join(map(str, items)) == answer


@settings(deadline=None)
@given(st.text("<tol_ca`{ \n"), ANSWERS)
def test_text_before_a_call_is_all_that_is_given_out(before: str, after: str) -> None:
    calls = reader()
    items = readable(calls.feed(before + GOOD + after) + calls.finish())
    assert items[: bool(before.strip())] == ([before] if before.strip() else [])
    assert items[bool(before.strip())] == SUZHOU
    assert str not in map(type, items[1:])


@settings(deadline=None)
@given(st.text("<tool_cal>x "))
def test_text_is_given_out_as_soon_as_it_cannot_be_a_tag(answer: str) -> None:
    calls = reader()
    given_out = ""
    for at, character in enumerate(answer, 1):
        given_out += "".join(map(str, calls.feed(character)))
        held = answer[len(given_out) : at]
        assert not held.strip() or "<tool_call>".startswith(held.strip()) or held.strip().startswith("<tool_call>")


@pytest.mark.parametrize("unit", ['<tool_call>{\\"', '<tool_call>{"', "<tool_call>[", '</tool_call>"', "<tool_call>\n"])
def test_an_answer_of_nothing_but_tags_is_read_in_one_go(unit: str) -> None:
    read(unit * 5000)


def test_at_most_128_calls_of_an_answer_count() -> None:
    assert len(read('<tool_call>{"name": "note"}</tool_call>' * 200)) == 128
