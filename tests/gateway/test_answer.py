"""Events in, deltas out: refusals and stop sequences are held back until it is clear what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answer import Answer
from gateway.errors import ContentFiltered
from gateway.school.events import Piece, Reasoning, Summary

SENTENCE = (
    "Unfortunately, I don't have any relevant information regarding this matter. However. "
    "Please feel free to ask me other questions, and I’ll do my best to help."
)


def said(answer: Answer, *pieces: str) -> str:
    return "".join(delta.text for piece in pieces for delta in answer.feed([Piece(piece)]))


def whole(answer: Answer, *pieces: str) -> tuple[str, str]:
    text = said(answer, *pieces)
    rest, reason = answer.finish()
    return text + "".join(delta.text for delta in rest), reason


def test_pieces_pass_at_once() -> None:
    assert said(Answer(), "Hello") == "Hello"


@pytest.mark.parametrize("sentence", [SENTENCE, SENTENCE.replace("'", "’"), f"\n{SENTENCE}"])
def test_the_refusal_sentence_is_filtered_whatever_its_apostrophe(sentence: str) -> None:
    with pytest.raises(ContentFiltered):
        said(Answer(), *sentence)


def test_nothing_is_given_out_before_a_refusal_is_clear() -> None:
    assert said(Answer(), "Unfortunately, I don’t have any relevant") == ""


@pytest.mark.parametrize("pieces", [("Request Err!",), ("Request", " Err!"), ("Request Err!\n",)])
def test_request_err_as_the_whole_answer_is_filtered(pieces: tuple[str, ...]) -> None:
    with pytest.raises(ContentFiltered):
        whole(Answer(), *pieces)


def test_request_err_as_the_beginning_of_an_answer_is_text() -> None:
    assert whole(Answer(), "Request Err!", " is what it says.") == ("Request Err! is what it says.", "stop")


def test_an_empty_answer_is_filtered() -> None:
    with pytest.raises(ContentFiltered):
        Answer().finish()


def test_a_refusal_after_other_text_ends_by_content_filter() -> None:
    assert whole(Answer(), "Well. ", SENTENCE) == ("Well. ", "content_filter")


def test_reasoning_without_text_is_an_empty_answer_and_no_refusal() -> None:
    answer = Answer()
    answer.feed([Reasoning("hm")])
    assert answer.finish() == ([], "stop")


def test_the_summarys_text_serves_where_no_piece_came() -> None:
    answer = Answer()
    answer.feed([Summary("all of it", 1, 2)])
    assert answer.finish()[0][0].text == "all of it"


def test_a_stop_sequence_over_several_pieces_ends_the_answer() -> None:
    answer = Answer(stop=["END"])
    assert said(answer, "one E", "N", "D two") == "one "
    assert answer.stopped


def test_a_beginning_of_a_stop_sequence_that_is_none_is_given_out() -> None:
    assert whole(Answer(stop=["END"]), "one E", "Nough") == ("one ENough", "stop")


def test_a_beginning_at_the_end_is_given_out() -> None:
    assert whole(Answer(stop=["END"]), "one EN") == ("one EN", "stop")


def test_max_tokens_reached_is_length() -> None:
    answer = Answer(max_tokens=5)
    answer.feed([Piece("x"), Summary("x", 1, 5)])
    assert answer.finish()[1] == "length"


@given(st.text(alphabet="ab’' UnfortulyRqesEr!", min_size=1), st.lists(st.integers(1, 5)))
def test_no_text_is_lost_or_doubled_however_it_is_cut(text: str, sizes: list[int]) -> None:
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    pieces = [piece for piece in (*pieces, rest) if piece]
    if text.strip() == "Request Err!":
        return
    assert whole(Answer(), *pieces)[0] == text


@given(st.text(alphabet="abEND", min_size=1), st.lists(st.integers(1, 3)))
def test_a_stop_is_found_however_it_is_cut(text: str, sizes: list[int]) -> None:
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    answer = Answer(stop=["END"])
    given_out = ""
    for piece in filter(None, (*pieces, rest)):
        given_out += said(answer, piece)
        if answer.stopped:
            break
    given_out += "".join(delta.text for delta in answer.finish()[0])
    assert given_out == text.split("END")[0]
