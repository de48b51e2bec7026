"""Many members from a CSV file: first what would happen, line by line, then the import.

The first line names the columns, `COLUMNS`; the last two may be left out, and others are passed over. A password that
was cut at its own comma goes to the school as a wrong one, and its tail into the next column: such a line is wrong, and
none of its values is repeated.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field, Model
from django.utils.translation import gettext as _

from accounts.models import Account, Member
from accounts.services import member_add

COLUMNS = ("name", "xjtlu_username", "xjtlu_password", "email")
REQUIRED = ("name", "xjtlu_username")
DELIMITERS = (",", ";", "\t")
ENCODINGS = ("utf-8-sig", "gb18030")
"""The second is what spreadsheets write in China."""
MAX_LINES = 1000
SAMPLE = (
    "name,xjtlu_username,xjtlu_password,email\n"
    "san,San.Zhang24,,san.zhang24@student.xjtlu.edu.cn\n"
    "si,Si.Li23,,si.li23@student.xjtlu.edu.cn\n"
)


class NotReadable(Exception):
    """The text is no such CSV. The message says what to change."""


class Verdict(Enum):
    """What an import makes of a line."""

    NEW = "new"
    EXISTS = "exists"
    WRONG = "wrong"


@dataclass(frozen=True)
class Line:
    """One member of the file. `number` counts the file's lines from 1; `problem` says why a wrong line is wrong."""

    number: int
    name: str = ""
    xjtlu_username: str = ""
    xjtlu_password: str = field(default="", repr=False)
    email: str = ""
    verdict: Verdict = Verdict.NEW
    problem: str = ""

    @property
    def has_password(self) -> bool:
        return bool(self.xjtlu_password)


def decoded(raw: bytes) -> str:
    """The text of a file. Raises `NotReadable`."""
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    raise NotReadable(_("The file is neither UTF-8 nor GB18030. Save it as “CSV UTF-8”."))


def preview(text: str) -> list[Line]:
    """The lines of the file, each with its verdict. Nothing is written. Raises `NotReadable`."""
    lines = list(_read(text))
    if not lines:
        raise NotReadable(_("The file names no member."))
    if len(lines) > MAX_LINES:
        raise NotReadable(_("The file has more than %(most)d members. Split it.") % {"most": MAX_LINES})
    return list(_judged(lines))


@transaction.atomic
def members_import(lines: Iterable[Line]) -> list[Account]:
    """Add the members of the new lines, all or none, and leave out the others. Raises `ValidationError`."""
    return [
        member_add(
            name=line.name,
            xjtlu_username=line.xjtlu_username,
            xjtlu_password=line.xjtlu_password,
            email=line.email,
        )
        for line in lines
        if line.verdict is Verdict.NEW
    ]


def _read(text: str) -> Iterator[Line]:
    opened = [_open(text, delimiter) for delimiter in DELIMITERS]
    reader, columns = max(opened, key=lambda each: len({*COLUMNS} & {*each[1]}))
    _check(columns)
    for row in _rows(reader):
        yield _line(reader.line_num, columns, row)


def _open(text: str, delimiter: str) -> tuple[Any, list[str]]:
    """A reader behind the line of the columns, and these; none where the delimiter is another."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    with suppress(NotReadable):
        return reader, [_column(cell) for cell in next(_rows(reader), [])]
    return reader, []


def _rows(reader: Any) -> Iterator[list[str]]:
    """The lines in which something stands."""
    try:
        yield from (row for row in reader if any(cell.strip() for cell in row))
    except csv.Error:
        told = {"number": reader.line_num, "example": '"a""b"'}
        raise NotReadable(
            _("Line %(number)d is no CSV. A value with a quotation mark in it is written so: %(example)s.") % told
        ) from None


def _column(cell: str) -> str:
    """The column that is meant: `XJTLU Username` as `xjtlu_username`, `E-mail` as `email`."""
    known = {_bare(column): column for column in COLUMNS}
    return known.get(_bare(cell), cell.strip())


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _check(columns: list[str]) -> None:
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise NotReadable(
            _("The first line must name the columns; missing: %(names)s.") % {"names": ", ".join(missing)}
        )
    if twice := [column for column in COLUMNS if columns.count(column) > 1]:
        raise NotReadable(_("The first line names a column twice: %(names)s.") % {"names": ", ".join(twice)})


def _line(number: int, columns: list[str], row: list[str]) -> Line:
    """Passwords stay as they are, also with spaces at their ends."""
    nameless = [cell for column, cell in zip(columns, row, strict=False) if cell and not column]
    if nameless or len(row) > len(columns):
        problem = _("The line has more values than columns. A value with a comma in it is written so: %(example)s.")
        return _wrong(Line(number), problem % {"example": '"a,b"'})
    if any("\n" in cell or "\r" in cell for cell in row):
        problem = _("A value goes on in the next line. One with a quotation mark in it is written so: %(example)s.")
        return _wrong(Line(number), problem % {"example": '"a""b"'})
    cells = dict(zip(columns, row, strict=False))
    name, xjtlu_username, email = (cells.get(column, "").strip() for column in ("name", "xjtlu_username", "email"))
    return Line(number, name, xjtlu_username, cells.get("xjtlu_password", ""), email)


def _judged(lines: Sequence[Line]) -> Iterator[Line]:
    members, accounts = _taken()
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        name, username = ("name", line.name.casefold()), ("username", line.xjtlu_username.casefold())
        earlier = seen.get(name) or seen.get(username)
        if line.verdict is Verdict.WRONG:
            yield line
        elif earlier:
            yield _wrong(line, _("Line %(number)d has the same name or XJTLU username.") % {"number": earlier})
        elif name[1] in members and accounts.get(username[1]) == name[1]:
            yield replace(line, verdict=Verdict.EXISTS)
        else:
            yield _checked(line, members, accounts)
        for key in (name, username):
            if key[1]:
                seen.setdefault(key, line.number)


def _checked(line: Line, members: set[str], accounts: dict[str, str]) -> Line:
    if line.name.casefold() in members:
        return _wrong(line, _("A member with this name exists already."))
    if line.xjtlu_username.casefold() in accounts:
        return _wrong(line, _("A member with this XJTLU account exists already."))
    problems = _problems(line)
    # What is no address may be the tail of a password, which then has moved the other values as well.
    is_shifted = "email" in problems and line.has_password
    return _wrong(Line(line.number) if is_shifted else line, " ".join(problems.values())) if problems else line


def _problems(line: Line) -> dict[str, str]:
    """What is wrong, by column; without the values, since none may be repeated on a page."""
    cells: tuple[tuple[str, str, type[Model], str, str], ...] = (
        ("name", _("Name"), Member, "username", line.name),
        ("xjtlu_username", _("XJTLU username"), Account, "username", line.xjtlu_username),
        ("email", _("E-mail"), Member, "email", line.email),
    )
    found = {}
    for column, label, model, field_name, value in cells:
        row_field = model._meta.get_field(field_name)
        assert isinstance(row_field, Field)
        try:
            row_field.clean(value, None)
        except ValidationError as error:
            found[column] = _("%(field)s: %(problem)s") % {"field": label, "problem": " ".join(error.messages)}
    return found


def _taken() -> tuple[set[str], dict[str, str]]:
    """Names of members, and accounts' usernames with their member's name, case-folded as the school does."""
    accounts = Account.objects.values_list("username", "member__username")
    return (
        {name.casefold() for name in Member.objects.values_list("username", flat=True)},
        {username.casefold(): name.casefold() for username, name in accounts},
    )


def _wrong(line: Line, problem: str) -> Line:
    return replace(line, verdict=Verdict.WRONG, problem=problem)
