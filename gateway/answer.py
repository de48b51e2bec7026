"""One answer as it comes in: the school's events in, deltas out. No I/O.

What may turn out to be the school's refusal sentence, or the beginning of a stop sequence, is held back until it is
clear what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import ContentFiltered
from gateway.school.events import Piece, Reasoning, Summary
from gateway.school.stream import Delta as SchoolDelta

# Protocol page, "poisonous text". The first is recognised by its beginning, the second only as the whole answer.
REFUSAL_BEGINNING = "Unfortunately, I don't have any relevant information regarding this matter"
REFUSAL_WHOLE = "Request Err!"
FILTERED = (
    "The school's content filter refused this prompt. Words it bans, or markup and file paths that its firewall takes "
    "for an attack, cause this; the same prompt is refused again."
)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece for the client: of the answer, or of the model's reasoning."""

    text: str
    reasoning: bool = False


class Answer:
    """Feed it the events of one stream, then `finish()` it."""

    def __init__(self, *, stop: Sequence[str] = (), max_tokens: int | None = None) -> None:
        self._stop = tuple(stop)
        self._longest_stop = max(map(len, self._stop), default=0)
        self._max_tokens = max_tokens
        self._held = ""
        self._start_is_clear = False
        self._after_refusal = False
        self._texts: list[str] = []
        self._reasonings: list[str] = []
        self.summary: Summary | None = None
        self.stopped = False

    @property
    def text(self) -> str:
        """All that was given to the client."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasonings)

    def feed(self, events: Iterable[SchoolDelta]) -> list[Delta]:
        """The deltas that are clear now. Raises `ContentFiltered` where nothing has been given out yet."""
        deltas: list[Delta] = []
        for event in events:
            if isinstance(event, Piece):
                self._text(event.text, deltas)
            elif isinstance(event, Reasoning):
                self._reasonings.append(event.text)
                deltas.append(Delta(event.text, reasoning=True))
            elif isinstance(event, Summary):
                self.summary = event
            if self.stopped:
                break
        return deltas

    def finish(self) -> tuple[list[Delta], str]:
        """The last deltas and OpenAI's `finish_reason`. Raises `ContentFiltered` where all of it was a refusal."""
        deltas: list[Delta] = []
        if not self._texts and not self._held and self.summary and not self.stopped:
            self._text(self.summary.text, deltas)
        if self._held.strip() == REFUSAL_WHOLE and not self._texts:
            self._refuse()
        self._start_is_clear = True
        self._release(deltas)
        if self._held:
            self._give(self._held, deltas)
            self._held = ""
        if not self._texts and not self._reasonings and not self.stopped:
            self._refuse()
        return deltas, self._finish_reason()

    def _finish_reason(self) -> str:
        if self._after_refusal:
            return "content_filter"
        counted = self.summary.completion_tokens if self.summary else None
        if self._max_tokens and counted and counted >= self._max_tokens and not self.stopped:
            return "length"
        return "stop"

    def _text(self, piece: str, deltas: list[Delta]) -> None:
        if self._start_is_clear and not self._stop and not self._held:
            if _is_refusal(piece):
                self._refuse()
                return
            self._give(piece, deltas)
            return
        self._held += piece
        if not self._start_is_clear:
            if _is_refusal(self._held):
                self._refuse()
                return
            if _may_become_refusal(self._held):
                return
            self._start_is_clear = True
        self._release(deltas)

    def _release(self, deltas: list[Delta]) -> None:
        """Give out what is held, up to a stop sequence or the possible beginning of one."""
        found = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if found:
            clear, self._held, self.stopped = self._held[: min(found)], "", True
        else:
            keep = self._possible_stop()
            clear, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if clear:
            self._give(clear, deltas)

    def _possible_stop(self) -> int:
        """How many characters at the end may be the beginning of a stop sequence."""
        for length in range(min(self._longest_stop - 1, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0

    def _give(self, text: str, deltas: list[Delta]) -> None:
        self._texts.append(text)
        deltas.append(Delta(text))

    def _refuse(self) -> None:
        if not self._texts and not self._reasonings:
            raise ContentFiltered(FILTERED)
        self._held = ""
        self._after_refusal = self.stopped = True


def _plain(text: str) -> str:
    return text.lstrip().replace("’", "'")


def _is_refusal(text: str) -> bool:
    return _plain(text).startswith(REFUSAL_BEGINNING)


def _may_become_refusal(text: str) -> bool:
    plain = _plain(text)
    return REFUSAL_BEGINNING.startswith(plain) or REFUSAL_WHOLE.startswith(plain.rstrip())
