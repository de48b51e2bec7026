"""The stream's framing at every split of its bytes, and the meaning of each frame."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SchoolMalformed
from gateway.school.events import Done, Event, Failure, Piece, Reasoning, SseDecoder, Summary, parse

CORPUS = [
    ("data: one\n\ndata: two\n\n", ["one", "two"]),
    ("data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
    ("data: one\r\rdata: two\r\r", ["one", "two"]),
    ("data: mixed\r\n\ndata: ends\n\r\ndata: here\r\r\n", ["mixed", "ends", "here"]),
    ("data: two\ndata: lines\n\n", ["two\nlines"]),
    ("data: two\r\ndata: lines\r\n\r\n", ["two\nlines"]),
    ("data: two\rdata: lines\r\r", ["two\nlines"]),
    ("data\n\n", [""]),
    ("data:\ndata:\n\n", ["\n"]),
    ("data:  keeps one space\n\n", [" keeps one space"]),
    ("data:none\n\n", ["none"]),
    (": comment\n\n:\ndata: x\n: another\n\n", ["x"]),
    ("event: e\nid: 1\nretry: 5\ndatabase: no\ndata: x\n\n", ["x"]),
    ("event: no data\n\n\n\ndata: x\n\n", ["x"]),
    ("\ufeffdata: after a BOM\n\n", ["after a BOM"]),
    ("data: 学校 é 🎓\r\n\r\n", ["学校 é 🎓"]),
    ("data: [DONE]", ["[DONE]"]),
    ("data: [DONE]\n", ["[DONE]"]),
    ("data: [DONE]\r", ["[DONE]"]),
    ("", []),
]


def decode(*chunks: bytes) -> list[str]:
    decoder = SseDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.flush()


@pytest.mark.parametrize(("text", "events"), CORPUS)
def test_the_stream_means_the_same_wherever_it_is_split(text: str, events: list[str]) -> None:
    data = text.encode()
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            assert decode(data[:first], data[first:second], data[second:]) == events


def by_the_standard(stream: bytes) -> list[str]:
    """The standard's own rules, line by line, over the whole stream at once."""
    events, data = [], []
    for line in [*re.split(r"\r\n|\n|\r", stream.decode().removeprefix("\ufeff")), ""]:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            events.append("\n".join(data))
            data = []
    return events


PARTS = [
    "data",
    "data:",
    "data: ",
    ":",
    " ",
    "event: x",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "x",
    "é学🎓",
    "\ufeff",
]


@given(st.lists(st.sampled_from(PARTS), max_size=12), st.lists(st.integers(0, 60), max_size=6))
def test_any_stream_in_any_pieces_is_decoded_by_the_standard(parts: list[str], cuts: list[int]) -> None:
    stream = "".join(parts).encode()
    edges = [0, *sorted(cuts), len(stream)]
    assert decode(*(stream[start:stop] for start, stop in pairwise(edges))) == by_the_standard(stream)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_break_the_decoder(data: bytes, cut: int) -> None:
    assert decode(data[:cut], data[cut:]) == decode(data)


def test_an_event_is_given_out_as_soon_as_its_blank_line_has_come() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        assert SseDecoder().feed(b"data: x" + end + end) == ["x"]


def test_a_broken_character_becomes_a_replacement_mark() -> None:
    assert decode(b"data: \xff\n\n") == ["\ufffd"]
    assert decode(b"data: \xe5\xad") == ["\ufffd"]


@pytest.mark.parametrize("line", [b"data: 12345", b"data: 1\ndata: 2\ndata: 3\n", b"event: 123456"])
def test_an_event_without_end_is_refused(line: bytes) -> None:
    decoder = SseDecoder(max_event_characters=10)
    with pytest.raises(SchoolMalformed):
        decoder.feed(line)


def test_many_events_and_comments_do_not_add_up_to_a_large_one() -> None:
    decoder = SseDecoder(max_event_characters=10)
    assert [event for _ in range(50) for event in decoder.feed(b": ping\n\ndata: x\n\n")] == ["x"] * 50


FRAMES: list[tuple[Any, list[Event]]] = [
    ({"id": "1", "type": "string", "data": "piece", "code": 0}, [Piece("piece")]),
    ({"type": "string", "data": "piece", "code": "0"}, [Piece("piece")]),
    ({"data": "no type"}, [Piece("no type")]),
    ({"type": "string", "data": "", "code": 0}, []),
    ({"type": "string", "data": None, "code": 0}, []),
    ({"type": "string", "reasoning_data": "why"}, [Reasoning("why")]),
    ({"type": "string", "reasoning_data": "why", "data": "what"}, [Reasoning("why"), Piece("what")]),
    ({"type": "string", "reasoning_data": None, "data": "what"}, [Piece("what")]),
    ({"type": "object", "data": {"promptTokens": 3, "completionTokens": 4, "aiText": "all"}}, [Summary("all", 3, 4)]),
    (
        {"type": "object", "data": {"promptTokens": "3", "completionTokens": 4.0, "aiText": "all"}},
        [Summary("all", 3, 4)],
    ),
    ({"type": "object", "data": {"promptTokens": 0, "completionTokens": None, "aiText": "all"}}, [Summary("all")]),
    ({"type": "object", "data": {"promptTokens": "x", "completionTokens": -1, "aiText": None}}, [Summary("")]),
    ({"type": "object", "data": {"promptTokens": True, "completionTokens": 0.5}}, [Summary("")]),
    ({"type": "object", "data": {"searchResults": []}}, []),
    ({"type": "object", "data": None}, []),
    ({"type": "status", "data": "searching"}, []),
    ({"code": 10008, "msg": "bad"}, [Failure(10008, "bad")]),
    ({"code": "10006", "msg": "Request too fast"}, [Failure(10006, "Request too fast")]),
    ({"code": "E1", "msg": None, "data": "x"}, [Failure("E1", "")]),
    ({}, []),
]


@pytest.mark.parametrize(("frame", "events"), FRAMES)
def test_each_frame_means_its_events(frame: Any, events: list[Event]) -> None:
    assert parse(json.dumps(frame)) == events


@pytest.mark.parametrize("data", ["", " ", "ping", "[]", "[1]", "null", "12", '"text"', "[DON"])
def test_what_is_no_frame_is_ignored(data: str) -> None:
    assert parse(data) == []


def test_done_is_recognised() -> None:
    assert parse("[DONE]") == parse(" [DONE] ") == [Done()]


@pytest.mark.parametrize("data", ['{"data": "pie', "{", "{]", '{"a": 1} x'])
def test_a_broken_frame_is_malformed(data: str) -> None:
    with pytest.raises(SchoolMalformed) as caught:
        parse(data)
    assert "pie" not in repr(caught.value)


def test_half_an_emoji_does_not_break_the_answer() -> None:
    assert parse('{"type": "string", "data": "a\\ud83d"}') == [Piece("a\ufffd")]
    assert parse('{"type": "string", "data": "\\ud83c\\udf93"}') == [Piece("🎓")]


@pytest.mark.parametrize("event", [Piece("answer"), Reasoning("answer"), Summary("answer"), Failure(1, "answer")])
def test_an_events_repr_hides_its_text(event: Event) -> None:
    assert "answer" not in repr(event)
    assert type(event).__name__ in repr(event)
