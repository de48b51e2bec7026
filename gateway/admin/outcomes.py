"""What an action came to, for many rows: one message for each outcome instead of one for each row."""

from __future__ import annotations

from types import TracebackType

from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _

NAMED = 3
"""So many names stand in a message; of more rows it tells the number."""


class Outcomes:
    """Collects how it went for each row; the messages are written where the `with` ends."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._names: dict[tuple[int, str], list[str]] = {}

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            for (level, text), names in self._names.items():
                told = {"rows": in_short(names), "outcome": text}
                messages.add_message(self._request, level, _("%(rows)s: %(outcome)s") % told)

    def add(self, row: object, text: str | Promise) -> None:
        """`text` goes on after the rows' names and a colon."""
        self._add(messages.SUCCESS, row, text)

    def warn(self, row: object, text: str | Promise) -> None:
        """As `add`, of what was done and should be looked at."""
        self._add(messages.WARNING, row, text)

    def refuse(self, row: object, text: str | Promise) -> None:
        """As `add`, of what was not done."""
        self._add(messages.ERROR, row, text)

    def _add(self, level: int, row: object, text: str | Promise) -> None:
        self._names.setdefault((level, str(text)), []).append(str(row))


def in_short(names: list[str]) -> str:
    """`a, b` or `120 (a, b, c, …)`."""
    first = ", ".join(names[:NAMED])
    return first if len(names) <= NAMED else _("%(number)d (%(names)s, …)") % {"number": len(names), "names": first}
