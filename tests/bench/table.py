"""The results, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure of the gateway beside the bare client's. `goal` says in words whether it was met; "" = none is set."""

    name: str
    unit: str
    gateway: float
    bare: float | None = None
    goal: str = ""

    @property
    def ratio(self) -> str:
        return f"{self.gateway / self.bare:.2f}" if self.bare else ""


def goal(text: str, *, met: bool) -> str:
    return f"{text}: {'met' if met else 'NOT met'}"


def table(rows: Iterable[Row]) -> str:
    """Columns of equal width, numbers to the right."""
    head = ("", "gateway", "bare client", "ratio", "goal")
    cells = [
        head,
        *((row.name, _number(row.gateway, row), _number(row.bare, row), row.ratio, row.goal) for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_line(line, widths) for line in cells)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers, last = cells
    middle = "  ".join(cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
    return f"{name.ljust(widths[0])}  {middle}  {last}".rstrip()


def _number(value: float | None, row: Row) -> str:
    if value is None:
        return ""
    return f"{value:,.{0 if abs(value) >= 1000 else 1}f} {row.unit}".rstrip()
