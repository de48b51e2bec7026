"""Everything that a login may say is known to the translations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from tokens import errors, wording
from tokens.errors import LoginError

TOKENS = Path(wording.__file__).parent
SPEAKERS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, LoginError)}
SAYS = SPEAKERS | {"InvalidRequest", "AccountBlocked", "failed"}
OF_THE_API = {"logins.py", "waiting.py", "programs.py"}
"""Their messages are for clients of the API and for the log, but for what they have in common with the pages."""
LIVE = {"live_link.py", "confinement.py", "verdicts.py"}


class Marked:
    """A catalogue in which every known sentence is in brackets."""

    def gettext(self, message: str) -> str:
        return f"[{message}]" if message in KNOWN else message


KNOWN = {*wording.STEPS, *wording.ASKED.values(), *wording.SENTENCES, *wording.PATTERNS, wording.INNER}


@pytest.fixture(autouse=True)
def _marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "gettext", Marked().gettext)


def text_of(node: ast.expr) -> str | None:
    """A text as it is said, with `x` in each of its places; None for what is no text of its own."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
    return None


def calls(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node.args


def messages() -> set[str]:
    """All that the code of the logins may say to a person, but its longest hints."""
    said = set()
    for path in TOKENS.glob("*.py"):
        if path.name in OF_THE_API:
            continue
        tree = ast.parse(path.read_text())
        # What stands in a constant of the module is said somewhere else in it.
        constants = {text for node in tree.body if isinstance(node, ast.Assign) and (text := text_of(node.value))}
        said |= {text for text in constants if path.name in LIVE and text.endswith(".")}
        for name, arguments in calls(tree):
            texts = [text for node in arguments if (text := text_of(node)) and text.strip()[-1:] in '."x']
            said |= {text for text in texts if " " in text} if name in SAYS else set()
    return said


def steps() -> set[str]:
    found = set()
    for path in TOKENS.glob("*.py"):
        for name, arguments in calls(ast.parse(path.read_text())):
            if name in {"step", "_step"} and arguments and (text := text_of(arguments[0])):
                found.add(text)
    return found


def test_every_step_is_known() -> None:
    assert steps()
    assert {step for step in steps() if wording.in_words(step) != f"[{step}]"} == set()


def test_every_message_is_known() -> None:
    said = messages()
    assert len(said) > 20
    assert sorted(message for message in said if not wording.message_in_words(message).startswith("[")) == []


def test_what_a_message_names_stays_as_it_is() -> None:
    with_name = wording.message_in_words('The sign-on refused the login: "密码错误 100%"')
    assert with_name == '[The sign-on refused the login: "密码错误 100%"]'


def test_a_message_within_a_message_is_said_in_words_too() -> None:
    inner = "The login did not end within 120 s."
    outer = f"Two logins in a row failed after the password was sent, so it is not sent again by itself. {inner}"
    assert wording.message_in_words(outer).endswith(f" [{inner}]]")


def test_an_unknown_message_is_shown_as_it_is() -> None:
    assert wording.message_in_words("Something 100% new.") == "Something 100% new."


@pytest.mark.parametrize("asked", errors.Check.__args__)  # type: ignore[attr-defined]
def test_whatever_is_asked_of_a_person_has_words(asked: str) -> None:
    assert wording.asked_in_words(asked).startswith("[")
    assert wording.asked_in_words("") == ""


def test_steps_follow_the_readers_language() -> None:
    with translation.override("en"):
        assert wording.in_words("opening the portal") == "[opening the portal]"
