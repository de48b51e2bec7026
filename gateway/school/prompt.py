"""Messages as the one text that the school's `completions` takes. Nothing is truncated.

Plain labels, no markup: the school's firewall refuses "odd markup" (protocol page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LABELS = {
    "system": "System",
    "developer": "System",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
    "function": "Tool",
}


@dataclass(frozen=True)
class Message:
    """One turn: an OpenAI role, its text, and the speaker's name where the client gave one."""

    role: str
    text: str
    name: str = ""


def flatten(messages: Sequence[Message]) -> str:
    """A single user message as it is; otherwise labelled blocks, ending where the assistant is to speak."""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].text
    return "\n\n".join([*map(_block, messages), f"{LABELS['assistant']}:"])


def _block(message: Message) -> str:
    label = LABELS[message.role] + (f" ({message.name})" if message.name else "")
    return f"{label}:\n{message.text}"
