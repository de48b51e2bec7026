"""Nothing secret and nothing private is left anywhere in clear: not in a log, a table, a message, a file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import openai
import pytest

from tests.e2e import rows
from tests.e2e.stack import Person, Stack, eventually
from tests.school import MODEL

KEY_FILES = ("secret_key", "encryption_keys")
FILES_OF_CHROME = "xipu-chrome-"


def files(stack: Stack) -> Iterable[Path]:
    """All that the installation has written, but for its keys; of what the school writes, nothing."""
    for folder in ("data", "logs", "tmp"):
        for path in (stack.root / folder).rglob("*"):
            if path.is_file() and path.name not in KEY_FILES and FILES_OF_CHROME not in str(path):
                yield path


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # A message of the broker that was taken meanwhile.
        return b""


def places(stack: Stack) -> dict[str, bytes]:
    """Everything that is kept, by where it is."""
    kept = {str(path.relative_to(stack.root)): content(path) for path in files(stack)}
    kept["tables"] = stack.desk(rows.dump).encode()
    kept["broker"] = stack.desk(rows.broker_dump).encode()
    return kept


def found(stack: Stack, wanted: Iterable[str]) -> list[str]:
    """Where any of the texts stands, as it is or as JSON writes it; never the text itself."""
    texts = {text.encode() for text in wanted}
    return [place for place, kept in places(stack).items() if any(text in kept for text in texts)]


@pytest.fixture(scope="module")
def marker(_stack: Stack) -> str:
    """A word in prompts and answers of a member who does all that may go wrong."""
    word = f"marker{secrets.token_hex(8)}"
    person = _stack.person()
    _stack.add(person, password=person.password)
    assert word in person.ask(f'{word} [[sim text="{word}"]]')
    for trouble in ("cut_after=1", "error_after=1", "abort_after=1", "empty"):
        with pytest.raises(openai.APIError):
            person.ask(f'{word} [[sim text="{word} {word}" {trouble}]]')
        with pytest.raises(openai.APIError):
            streamed(person, f'{word} [[sim text="{word} {word}" {trouble}]]')
    with pytest.raises(openai.BadRequestError):
        person.ask(f"{word} forbidden-word")
    with pytest.raises(openai.NotFoundError), person.client() as client:
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": word}])
    person.sessions_are_gone()
    return word


def streamed(person: Person, prompt: str) -> None:
    with person.client(max_retries=0) as client:
        list(client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}], stream=True))


def test_the_search_finds_what_is_there(stack: Stack, member: Person) -> None:
    member.ask("hello")
    assert "tables" in found(stack, [member.username])
    eventually(lambda: "logs/web.log" in found(stack, [member.usage[0]["request_id"]]), "the access log")


def test_no_prompt_and_no_answer_is_kept(stack: Stack, marker: str) -> None:
    assert found(stack, [marker]) == []


def test_no_password_token_cookie_or_key_is_kept_in_clear(stack: Stack, marker: str) -> None:
    known = {*stack.secrets, *stack.desk(rows.secrets_in_clear)}
    assert len(known) >= 4
    assert found(stack, known) == []


def test_no_tokens_of_earlier_logins_are_kept_either(stack: Stack, marker: str) -> None:
    """JSON Web Tokens and the sign-on's tickets are known by their shapes."""
    shapes = re.compile(rb"eyJhbGciOi|TGT-[0-9a-f]{32}|ST-[0-9a-f]{24}")
    assert [place for place, kept in places(stack).items() if shapes.search(kept)] == []


def test_files_are_for_their_owner_alone(stack: Stack, marker: str) -> None:
    assert stack.data_dir.stat().st_mode & 0o077 == 0
    for name in KEY_FILES:
        assert (stack.data_dir / name).stat().st_mode & 0o077 == 0
