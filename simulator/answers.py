"""What the school answers to a prompt: the pieces, the reasoning, the summary and how the stream ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import msgspec

from simulator.catalog import BY_VALUE, Model
from simulator.settings import Settings
from simulator.state import Session
from simulator.steering import Directive, parse

BANNED_WORD = "forbidden-word"
POISON = "file:///"
ODD_MARKUP = "<<odd-markup>>"
REFUSAL = (
    "Unfortunately, I don't have any relevant information regarding this matter. However. "
    "Please feel free to ask me other questions, and I’ll do my best to help."
)
REQUEST_ERROR = "Request Err!"
DEFAULT_REASONING = "The user wrote something. I say what I received."


class CompletionRequest(msgspec.Struct, rename="camel", kw_only=True):
    """The body of `chat/completions`; 2025 knew only `text`, `files` and `sessionId`."""

    text: str
    session_id: int
    files: list[str] = []
    online: Literal[0, 1] = 0
    thinking: Literal["minimal", "low", "medium", "high"] | None = None
    response_id: str | None = None
    lang: str = "en"


@dataclass(frozen=True)
class Answer:
    """A whole answer and the way it is sent. `ending` follows after the last piece."""

    pieces: list[str]
    reasoning: list[str]
    prompt_tokens: int
    completion_tokens: int
    directive: Directive
    counts: bool = True
    summary: bool = True
    done: bool = True
    ending: Literal["complete", "cut", "abort", "error"] = "complete"

    @property
    def text(self) -> str:
        """The answer as one text."""
        return "".join(self.pieces)


def with_earlier_turns(request: CompletionRequest, session: Session) -> str:
    """Return the prompt with the turns that the school adds by itself while `contextCount` is not 0."""
    count = session.fields.context_count
    turns = session.turns[-count:] if count > 0 else []
    earlier = [f"User: {asked}\nAssistant: {answered}\n" for asked, answered in turns]
    return "".join([*earlier, request.text])


def compose(request: CompletionRequest, session: Session, settings: Settings) -> Answer:
    """Return the answer to `request`; raise ValueError for a directive that cannot be read."""
    text = with_earlier_turns(request, session)
    directive = parse(text)
    model = BY_VALUE[session.fields.model]
    if BANNED_WORD in text:
        return _banned(text, directive, settings)
    pieces = _pieces(request, text, model, directive)
    limit = session.fields.max_token
    pieces = pieces[:limit] if limit > 0 else pieces
    answer = Answer(
        pieces=pieces,
        reasoning=_reasoning(request, model, directive),
        prompt_tokens=len(text) // 4 + 1,
        completion_tokens=len(pieces),
        directive=directive,
        counts=model.counts,
        summary=not directive.no_summary,
        done=not directive.no_done,
    )
    return _ended(answer, directive)


def _banned(text: str, directive: Directive, settings: Settings) -> Answer:
    summary = settings.filter_shape == "summary"
    return Answer([], [], len(text) // 4 + 1, 0, directive, summary=summary)


def _pieces(request: CompletionRequest, text: str, model: Model, directive: Directive) -> list[str]:
    if ODD_MARKUP in text:
        return [REQUEST_ERROR]
    if POISON in text:
        return _words(REFUSAL)
    if directive.empty:
        return []
    if directive.pieces is not None and directive.text is None and not directive.echo:
        return [f"piece{number} " for number in range(1, directive.pieces + 1)]
    whole = text if directive.echo else directive.text
    whole = _default_text(request, text, model) if whole is None else whole
    return _words(whole) if directive.pieces is None else _parts(whole, directive.pieces)


def _default_text(request: CompletionRequest, text: str, model: Model) -> str:
    notes = " (online)" if request.online else ""
    notes += f" (files: {len(request.files)})" if request.files else ""
    return f"Simulated answer of {model.value} to {len(text)} characters{notes}: {text[-200:]}"


def _words(text: str) -> list[str]:
    """Split after spaces; a text without any comes in pieces of at most 8 characters."""
    return re.findall(r"\S{1,8}\s*|\s+", text)


def _parts(text: str, count: int) -> list[str]:
    """Split into `count` parts of nearly equal length, or one for each character of a shorter text."""
    count = min(count, len(text))
    edges = [len(text) * place // count for place in range(count + 1)] if count > 0 else []
    return [text[start:end] for start, end in pairwise(edges)]


def _reasoning(request: CompletionRequest, model: Model, directive: Directive) -> list[str]:
    if directive.reasoning is not None:
        return _words(directive.reasoning)
    thinks = bool(model.thinking) and request.thinking not in (None, "minimal")
    return _words(DEFAULT_REASONING) if thinks else []


def _ended(answer: Answer, directive: Directive) -> Answer:
    """Shorten the answer to where the directive ends it early."""
    if directive.cut_after is not None:
        return replace(answer, pieces=answer.pieces[: directive.cut_after], ending="cut")
    if directive.abort_after is not None:
        return replace(answer, pieces=answer.pieces[: directive.abort_after], ending="abort")
    if directive.error_after is not None:
        return replace(answer, pieces=answer.pieces[: directive.error_after], ending="error")
    return answer


def failing(answer: Answer, after: int, code: int) -> Answer:
    """Return `answer` with an error event after `after` pieces."""
    directive = replace(answer.directive, error_after=after, error_code=code)
    return _ended(replace(answer, directive=directive), directive)


def summary(answer: Answer) -> dict[str, Any]:
    """Return the summary's data: token counts only where the model gives them."""
    data: dict[str, Any] = {"aiText": answer.text}
    if answer.counts:
        data |= {"promptTokens": answer.prompt_tokens, "completionTokens": answer.completion_tokens}
    return data
