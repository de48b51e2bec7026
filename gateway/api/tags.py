"""The tags in which tools are spoken of (Hermes form), and how text that is not ours is kept from looking like one."""

from __future__ import annotations

import re

from gateway.api.loose_json import encode

CALL_OPENS, CALL_CLOSES = "<tool_call>", "</tool_call>"
RESPONSE_OPENS, RESPONSE_CLOSES = "<tool_response>", "</tool_response>"
TOOLS_OPEN, TOOLS_CLOSE = "<tools>", "</tools>"

# Possessive: white space without end must not be tried twice.
TAG = re.compile(r"<(\s*+/?+\s*+(?:tool_calls?|tool_responses?|tools)\s*+)>", re.IGNORECASE)


def neutralise(text: str) -> str:
    """Plain text with each such tag as `‹tool_call›`: visible, and no tag any more."""
    return TAG.sub(r"‹\1›", text)


def embed(value: object) -> str:
    """JSON with no such tag in it: the same value, a tag's `<` written as `\\u003c`. Raises `BadJSON`."""
    return embed_text(encode(value))


def embed_text(json_text: str) -> str:
    """The same for JSON that is written already (a `<` in JSON stands only inside strings)."""
    return TAG.sub(r"\\u003c\1>", json_text)
