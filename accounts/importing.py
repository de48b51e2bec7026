"""Many members from a CSV file: first what would happen, line by line, then the import.

The first line names the columns, `COLUMNS`; the last two may be left out, and others are passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Account, Member
from accounts.services import member_add

COLUMNS = ("name", "xjtlu_username", "xjtlu_password", "email")
REQUIRED = ("name", "xjtlu_username")
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
    name: str
    xjtlu_username: str
    xjtlu_password: str = field(default="", repr=False)
    email: str = ""
    verdict: Verdict = Verdict.NEW
    problem: str = ""

    @property
    def has_password(self) -> bool:
        return bool(self.xjtlu_password)


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
    head = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    try:
        missing = set(REQUIRED) - set(reader.fieldnames or ())
        if missing:
            raise NotReadable(
                _("The first line must name the columns; missing: %(names)s.") % {"names": ", ".join(sorted(missing))}
            )
        for row in reader:
            name, xjtlu_username, xjtlu_password, email = ((row.get(column) or "").strip() for column in COLUMNS)
            yield Line(reader.line_num, name, xjtlu_username, xjtlu_password, email)
    except csv.Error:
        raise NotReadable(_("Line %(number)d is no CSV.") % {"number": reader.line_num}) from None


def _judged(lines: Sequence[Line]) -> Iterator[Line]:
    members, accounts = _taken()
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        name, username = line.name.casefold(), line.xjtlu_username.casefold()
        earlier = seen.get(("name", name)) or seen.get(("username", username))
        if earlier:
            yield _wrong(line, _("Line %(number)d has the same name or XJTLU username.") % {"number": earlier})
        elif name in members and accounts.get(username) == name:
            yield replace(line, verdict=Verdict.EXISTS)
        else:
            yield _wrong(line, problem) if (problem := _problem(line, members, accounts)) else line
        seen.setdefault(("name", name), line.number)
        seen.setdefault(("username", username), line.number)


def _problem(line: Line, members: set[str], accounts: dict[str, str]) -> str:
    if line.name.casefold() in members:
        return _("A member with this name exists already.")
    if line.xjtlu_username.casefold() in accounts:
        return _("A member with this XJTLU account exists already.")
    try:
        Member(username=line.name, email=line.email).clean_fields(exclude=["password"])
        Account(username=line.xjtlu_username).clean_fields(exclude=["member"])
    except ValidationError as error:
        return _in_words(error)
    return ""


def _taken() -> tuple[set[str], dict[str, str]]:
    """Names of members, and accounts' usernames with their member's name, case-folded as the school does."""
    accounts = Account.objects.values_list("username", "member__username")
    return (
        {name.casefold() for name in Member.objects.values_list("username", flat=True)},
        {username.casefold(): name.casefold() for username, name in accounts},
    )


def _wrong(line: Line, problem: str) -> Line:
    return replace(line, verdict=Verdict.WRONG, problem=problem)


def _in_words(error: ValidationError) -> str:
    """Without values: none may be repeated on a page."""
    labels = {"username": _("name or XJTLU username"), "email": _("e-mail")}
    told = ({"field": labels.get(name, name), "problem": " ".join(texts)} for name, texts in error.message_dict.items())
    return " ".join(_("%(field)s: %(problem)s") % each for each in told)
