"""Where a client finds the gateway, and what the tests of all clients share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from gateway.models import UpstreamSession, UsageRecord
from tests.conftest import until
from tests.school import School

SEEING = "gpt-5.6-luna"
BAD_KEY = "xg-0123456789-0123"

STREAMED = '[[sim text="one two three" pieces=3]]'
THOUGHT = '[[sim text="42" reasoning="let me think"]]'
PERSON = '[[sim text="Here it is: ```json {\\"name\\": \\"Ada\\", \\"age\\": 36}```"]]'
FAILING = '[[sim text="one two three" pieces=3 error_after=1]]'
HELD = '[[sim text="one two three" hold]]'
FILTERED = "a forbidden-word"


@dataclass(frozen=True)
class Endpoint:
    """The two things that every client is told."""

    base_url: str
    api_key: str = field(repr=False)


def calling(name: str, /, **arguments: object) -> str:
    """A prompt that is answered with a call. The gateway neutralises tags in prompts, so they are escaped."""
    call = json.dumps({"name": name, "arguments": arguments}).replace('"', '\\"')
    return f'Ask. [[sim text="<tool\\_call>{call}</tool\\_call>" pieces=5]]'


def answering(word: str) -> str:
    """A tool's result that makes the school's next answer this one word: proof that the result has arrived."""
    return f"[[sim text={word}]]"


def assert_result_was_sent(school: School, name: str) -> None:
    """The second of two prompts holds the call and its result."""
    _, prompt = school.prompts()
    _, _, turns = prompt.partition("\nAssistant:\n")
    assert f'<tool_call>\n{{"name": "{name}"' in turns
    assert f'<tool_response>\n{{"name":"{name}"' in turns


def assert_one_image_was_seen(school: School) -> None:
    assert [upload["content_type"] for upload in school.user()["uploads"]] == ["image/png"]
    assert len(school.user()["completions"][0]["files"]) == 1


def assert_client_left(school: School) -> None:
    """The school's stream ended with the client, and its session is handed to cleanup."""
    until(lambda: school.user()["completions"][0]["ended"] == "client_left", "the end of the school's stream")
    until(lambda: UsageRecord.objects.filter(status="cancelled").exists(), "the cancelled record")
    assert UpstreamSession.objects.get().delete_at is not None
