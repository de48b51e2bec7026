"""`manage.py import_members FILE.csv`: many members. All lines are good, or none is imported."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.keys import key_issue
from accounts.services import member_add
from gateway.management.members import in_words
from tokens.logins import login_ask
from tokens.models import Trigger

COLUMNS = ("name", "xjtlu_username", "xjtlu_password", "email")


class Command(BaseCommand):
    help = f"Import members from a CSV file with the columns {', '.join(COLUMNS)} (the last two may be left out)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the CSV file, or - for standard input")
        parser.add_argument("--issue-keys", action="store_true", help="issue a key to each and print name,key lines")

    def handle(self, *, file: str, issue_keys: bool, **options: Any) -> None:
        rows = _rows(file)
        problems: list[str] = []
        issued: list[tuple[str, str]] = []
        with transaction.atomic():
            for line, row in enumerate(rows, start=2):
                try:
                    with transaction.atomic():
                        issued.append((row["name"], _add(row, issue_keys=issue_keys)))
                except ValidationError as error:
                    problems.append(f"line {line}: {in_words(error)}")
            if problems:
                transaction.set_rollback(True)
        if problems:
            raise CommandError("Nothing was imported.\n" + "\n".join(problems))
        for name, key in issued if issue_keys else ():
            self.stdout.write(f"{name},{key}")
        self.stderr.write(f"Imported {len(rows)} members.")


def _rows(file: str) -> list[dict[str, str]]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {file}: {type(error).__name__}.") from None
    reader = csv.DictReader(text.splitlines())
    missing = {"name", "xjtlu_username"} - set(reader.fieldnames or ())
    if missing:
        raise CommandError(f"The first line must name the columns; missing: {', '.join(sorted(missing))}.")
    return [{name: (row.get(name) or "").strip() for name in COLUMNS} for row in reader]


def _add(row: dict[str, str], *, issue_keys: bool) -> str:
    account = member_add(
        name=row["name"],
        xjtlu_username=row["xjtlu_username"],
        xjtlu_password=row["xjtlu_password"],
        email=row["email"],
    )
    if account.has_password:
        login_ask(account=account, trigger=Trigger.ADDED)
    return key_issue(member=account.member)[1] if issue_keys else ""
