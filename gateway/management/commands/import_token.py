"""`manage.py import_token NAME`: an upstream token from the member's own browser, as JSON on standard input."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.errors import InvalidRequest
from gateway.management.audited import TOKEN_IMPORTED, note
from gateway.management.members import account_of
from tokens.services import token_import


class Command(BaseCommand):
    help = 'Read {"jm_token", "sdp_app_session", "cookies", "api_url"} from standard input and use it for the account.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the member's name")

    def handle(self, *, name: str, **options: Any) -> None:
        account = account_of(name)
        try:
            row = token_import(account=account, pasted=json.loads(sys.stdin.read()))
        except json.JSONDecodeError:
            raise CommandError("Standard input is not JSON.") from None
        except InvalidRequest as error:
            raise CommandError(error.message) from None
        note("import_token", TOKEN_IMPORTED, account)
        until = f"until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at else "; its end is not known"
        self.stdout.write(f"{name} is logged in {until}.")
