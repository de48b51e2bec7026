"""`manage.py log_in NAME`: a Chrome login in the foreground."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gateway.management.audited import LOGIN_ASKED, note
from gateway.management.logging_in import log_in_here
from gateway.management.members import account_of


class Command(BaseCommand):
    help = "Log an account in with Chrome, showing the steps; asks for a second factor's code where the school does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the member's name")
        parser.add_argument("--code-file", metavar="FILE", help="a file with the second factor's code, or - for stdin")

    def handle(self, *, name: str, code_file: str | None, **options: Any) -> None:
        account = account_of(name)
        note("log_in", LOGIN_ASKED, account)
        log_in_here(account, show=self.stdout.write, code_file=code_file)
