"""The boxes that a page opens with `alert`, `confirm` and `prompt`: for the person to answer, as all of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.bidi.browsing_context import Info, UserPromptOpenedParameters
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.live.wire import Answer, Dialog

MAX_TEXT = 500
MAX_DEFAULT = 200


class Dialogs:
    """`clean` takes secrets out of a text. Selenium tells of each dialog on a thread of its own."""

    def __init__(self, driver: WebDriver, clean: Callable[[str], str]) -> None:
        self._page = driver.browsing_context
        self._window = driver.current_window_handle
        self._clean = clean
        self._count = 0
        self._opened: tuple[str, Dialog] | None = None
        self._page.add_event_handler("user_prompt_opened", self._on_opened)

    @property
    def opened(self) -> Dialog | None:
        """The one that waits for its answer."""
        return self._opened[1] if self._opened else None

    def answer(self, answer: Answer) -> None:
        """What was meant for another dialog than the one that is open now is not taken."""
        if self._opened is None or self._opened[1].number != answer.number:
            return
        (context, dialog), self._opened = self._opened, None
        self._close(context, accept=answer.accept, text=answer.text if dialog.kind == "prompt" else None)

    def _on_opened(self, event: UserPromptOpenedParameters) -> None:
        kind: Any = event.type
        context = str(event.context)
        if kind == "beforeunload":
            # The driver lets the page go by itself.
            return
        if context not in _contexts(self._page.get_tree(root=self._window)):
            # Of another window, which is closed unseen; meanwhile it would hold up ours.
            self._close(context, accept=False)
            return
        self._count += 1
        text = self._clean(event.message or "")[:MAX_TEXT]
        default = self._clean(event.default_value or "")[:MAX_DEFAULT]
        self._opened = (context, Dialog(self._count, kind, text, default))

    def _close(self, context: str, *, accept: bool, text: str | None = None) -> None:
        # It may have gone together with its page.
        with suppress(WebDriverException):
            self._page.handle_user_prompt(context=context, accept=accept, user_text=text)


def _contexts(tree: Sequence[Info]) -> Iterator[str]:
    """The windows and frames of a tree."""
    for info in tree:
        yield str(info.context)
        yield from _contexts(info.children or [])
