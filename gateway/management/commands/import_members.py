"""`manage.py import_members FILE.csv`: many members. All lines are good, or none is imported."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import importing
from accounts.importing import COLUMNS, Line, NotReadable, Verdict
from accounts.keys import key_issue
from accounts.models import Account
from gateway.management.audited import IMPORTED, KEY_ISSUED, note
from tokens.logins import login_ask
from tokens.models import Trigger


class Command(BaseCommand):
    help = f"Import members from a CSV file with the columns {', '.join(COLUMNS)} (the last two may be left out)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the CSV file, or - for standard input")
        parser.add_argument("--issue-keys", action="store_true", help="issue a key to each and print name,key lines")

    def handle(self, *, file: str, issue_keys: bool, **options: Any) -> None:
        lines = _lines(file)
        with transaction.atomic():
            accounts = importing.members_import(lines)
            for account in accounts:
                note("import_members", IMPORTED, account)
                if account.has_password:
                    login_ask(account=account, trigger=Trigger.ADDED)
            keys = [_issue_key(account) for account in accounts] if issue_keys else []
        self._tell(accounts, keys, left=len(lines) - len(accounts))

    def _tell(self, accounts: list[Account], keys: list[str], *, left: int) -> None:
        for account, key in zip(accounts, keys, strict=False):
            self.stdout.write(f"{account.member.username},{key}")
        exist = f" {left} exist already." if left else ""
        self.stderr.write(f"Imported {len(accounts)} members.{exist}")


def _issue_key(account: Account) -> str:
    key, text = key_issue(member=account.member)
    note("import_members", KEY_ISSUED, key)
    return text


def _lines(file: str) -> list[Line]:
    """The good lines and those that exist already. Raises `CommandError`, also where any line is wrong."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        lines = importing.preview(importing.decoded(raw))
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {type(error).__name__}.") from None
    except NotReadable as error:
        raise CommandError(str(error)) from None
    problems = [f"line {line.number}: {line.problem}" for line in lines if line.verdict is Verdict.WRONG]
    if problems:
        raise CommandError("Nothing was imported.\n" + "\n".join(problems))
    return lines
