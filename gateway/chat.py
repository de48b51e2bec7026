"""The story of one chat: a session, a prompt, the answer's deltas, and everything cleaned up on leaving.

One coroutine owns it from end to end: success, error and the client's going away leave by the same doors. The answer
that is not streamed is the same story with another `emit`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gateway import sessions
from gateway.answer import Answer, Delta
from gateway.attachments.images import ImageSource, load_all, upload_all
from gateway.calls import Line
from gateway.errors import AnswerEmpty

Emit = Callable[[list[Delta]], Awaitable[None]]


@dataclass(frozen=True)
class Prompt:
    """What one chat asks of the school."""

    model: str
    text: str = field(repr=False)
    temperature: float = 1.0
    max_tokens: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    online: bool = False
    thinking: str | None = None
    images: tuple[ImageSource, ...] = field(default=(), repr=False)

    def session_fields(self) -> dict[str, Any]:
        """`maxToken` 0 = no limit; `contextCount` 0 = the school adds no earlier turns of its own (protocol page)."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "maxToken": self.max_tokens or 0,
            "presencePenalty": self.presence_penalty,
            "frequencyPenalty": self.frequency_penalty,
            "contextCount": 0,
        }


@dataclass(frozen=True)
class Outcome:
    """How an answer ended. Counts are the school's, None where it gave none."""

    finish_reason: str
    text: str = field(repr=False)
    reasoning: str = field(repr=False)
    prompt_tokens: int | None
    completion_tokens: int | None


class Chat:
    """An upstream session in which prompts are asked. Each is the whole context: the school adds no earlier turns."""

    def __init__(self, prompt: Prompt, line: Line, session_id: int, files: Sequence[str]) -> None:
        self._prompt = prompt
        self._line = line
        self._session_id = session_id
        self._files = files

    async def ask(self, text: str, emit: Emit) -> Outcome:
        """Ask and emit the answer as it comes. Raises `GatewayError`s; whatever was emitted stays emitted."""
        prompt = self._prompt
        answer = Answer(stop=prompt.stop, max_tokens=prompt.max_tokens)
        with suppress(AnswerEmpty):
            async with self._line.completions(
                session_id=self._session_id,
                text=text,
                files=self._files,
                online=prompt.online,
                thinking=prompt.thinking,
            ) as stream:
                async for events in stream:
                    if deltas := answer.feed(events):
                        await emit(deltas)
                    if answer.stopped:
                        break
        deltas, finish_reason = answer.finish()
        if deltas:
            await emit(deltas)
        counted = answer.summary
        return Outcome(
            finish_reason=finish_reason,
            text=answer.text,
            reasoning=answer.reasoning,
            prompt_tokens=counted.prompt_tokens if counted else None,
            completion_tokens=counted.completion_tokens if counted else None,
        )


@asynccontextmanager
async def opened(prompt: Prompt, *, line: Line) -> AsyncIterator[Chat]:
    """A chat with the prompt's model, sampling and images; its session is handed to cleanup when the block is left."""
    files = await upload_all(line, await load_all(prompt.images))
    async with sessions.opened(line, prompt.session_fields()) as session_id:
        yield Chat(prompt, line, session_id, files)
