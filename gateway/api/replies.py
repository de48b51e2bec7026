"""From prompt to reply: plain text, calls, or JSON in a wanted form, with at most one repair turn. No wire format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from gateway.answer import Delta
from gateway.api.formats import Format, InvalidStructuredOutput, repair_prompt
from gateway.api.toolcalls import CallReader, ToolCall
from gateway.api.tools import Toolbox
from gateway.chat import Chat, Outcome
from gateway.errors import GatewayError
from gateway.usage.recording import Turn

log = structlog.get_logger(__name__)

Piece = Delta | ToolCall
Emit = Callable[[list[Piece]], Awaitable[None]]


@dataclass(frozen=True)
class Wanted:
    """What the client wants of the reply beside text."""

    toolbox: Toolbox | None = None
    format: Format | None = None


@dataclass(frozen=True)
class Reply:
    """What the client was given, and the turns that it took."""

    finish_reason: str
    text: str = field(repr=False)
    reasoning: str = field(repr=False)
    calls: tuple[ToolCall, ...]
    turns: tuple[Turn, ...]


class Writer:
    """Asks, and gives out what is clear. Whatever was given out is never repeated."""

    def __init__(self, chat: Chat, prompt: str, emit: Emit) -> None:
        self._chat = chat
        self._prompt = prompt
        self._emit = emit
        self._texts: list[str] = []
        self._reasonings: list[str] = []
        self._calls: list[ToolCall] = []
        self._turns: list[Turn] = []

    async def write(self, wanted: Wanted) -> Reply:
        """Raises `GatewayError`s, among them `InvalidStructuredOutput`."""
        if wanted.toolbox is not None:
            finish_reason = await self._write_calls(wanted.toolbox, wanted.format)
        elif wanted.format is not None:
            outcome, text = await self._collect(self._prompt)
            finish_reason = await self._write_json(wanted.format, outcome, text)
        else:
            finish_reason = (await self._ask(self._prompt, self._give)).finish_reason
        return Reply(
            finish_reason,
            "".join(self._texts),
            "".join(self._reasonings),
            tuple(self._calls),
            tuple(self._turns),
        )

    async def _write_calls(self, toolbox: Toolbox, form: Format | None) -> str:
        reader = CallReader(toolbox)
        texts: list[str] = []

        async def read(deltas: list[Delta]) -> None:
            pieces: list[Piece] = []
            for delta in deltas:
                items = [delta] if delta.reasoning else reader.feed(delta.text)
                pieces += self._pieces(items, texts if form else None)
            await self._give(pieces)

        outcome = await self._ask(self._prompt, read)
        await self._give(self._pieces(reader.finish(), texts if form else None))
        if reader.wants_repair:
            items = reader.repaired(await self._repair(reader.repair_prompt(self._prompt)))
            await self._give(self._pieces(items, texts if form and not reader.calls else None))
        if reader.calls:
            return toolbox.finish_reason
        if form is not None:
            return await self._write_json(form, outcome, "".join(texts))
        return outcome.finish_reason

    async def _write_json(self, form: Format, outcome: Outcome, text: str) -> str:
        checked = form.check(text)
        if not isinstance(checked, str):
            _, text = await self._collect(repair_prompt(self._prompt, text, checked))
            checked = form.check(text)
        if not isinstance(checked, str):
            raise InvalidStructuredOutput(checked)
        await self._give([Delta(checked)])
        return "stop" if outcome.finish_reason == "length" else outcome.finish_reason

    async def _repair(self, prompt: str) -> str:
        """The text of the repair turn; "" where the school refuses it, so that nothing of the first answer is lost."""
        try:
            return (await self._collect(prompt))[1]
        except GatewayError as error:
            log.info("a repair turn failed", code=error.code)
            return ""

    async def _collect(self, prompt: str) -> tuple[Outcome, str]:
        """One turn whose text is held; its reasoning is given out."""
        texts: list[str] = []

        async def hold(deltas: list[Delta]) -> None:
            texts.extend(delta.text for delta in deltas if not delta.reasoning)
            await self._give([delta for delta in deltas if delta.reasoning])

        return await self._ask(prompt, hold), "".join(texts)

    async def _ask(self, prompt: str, emit: Callable[[list[Delta]], Awaitable[None]]) -> Outcome:
        outcome = await self._chat.ask(prompt, emit)
        self._turns.append(
            Turn(prompt, outcome.reasoning + outcome.text, outcome.prompt_tokens, outcome.completion_tokens)
        )
        return outcome

    async def _give(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, ToolCall):
                self._calls.append(piece)
            else:
                (self._reasonings if piece.reasoning else self._texts).append(piece.text)
        if pieces:
            await self._emit(list(pieces))

    @staticmethod
    def _pieces(items: Sequence[str | Piece], held: list[str] | None) -> list[Piece]:
        """Items as pieces; text goes to `held` instead where there is such a list."""
        pieces: list[Piece] = []
        for item in items:
            if not isinstance(item, str):
                pieces.append(item)
            elif held is not None:
                held.append(item)
            else:
                pieces.append(Delta(item))
        return pieces
