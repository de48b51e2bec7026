"""How a client sees the model's reasoning: in a field of its own, folded into the text, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from gateway.answer import Delta
from gateway.api.replies import Piece

OPENS, CLOSES = "<think>\n", "\n</think>\n\n"


class Show(StrEnum):
    FIELD = "field"
    THINK = "think"
    HIDDEN = "hidden"


class ReasoningView:
    """Changes the pieces of one reply, in order, to what the client is to see."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._is_open = False

    def see(self, pieces: Iterable[Piece]) -> list[Piece]:
        if self._show == Show.FIELD:
            return list(pieces)
        seen: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, Delta) and piece.reasoning:
                seen += self._fold(piece)
            else:
                seen += [*self.close(), piece]
        return seen

    def close(self) -> list[Piece]:
        """What ends the fold, where it is still open."""
        if not self._is_open:
            return []
        self._is_open = False
        return [Delta(CLOSES)]

    def _fold(self, piece: Delta) -> list[Piece]:
        if self._show == Show.HIDDEN:
            return []
        opening = "" if self._is_open else OPENS
        self._is_open = True
        return [Delta(opening + piece.text)]
