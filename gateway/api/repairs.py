"""The one repair turn: the same conversation, the answer, and what is wrong with it."""

from __future__ import annotations

from gateway.school.prompt import LABELS


def repair_prompt(prompt: str, answer: str, complaint: str) -> str:
    """`prompt` is a flattened conversation that ends where the assistant is to speak."""
    return f"{prompt}\n{answer}\n\n{LABELS['system']}:\n{complaint}\n\n{LABELS['assistant']}:"
