"""`manage.py add_member NAME --xjtlu-username U`: one member with an account."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.keys import key_issue
from accounts.models import Account
from accounts.services import member_add
from gateway.management.audited import ADDED, KEY_ISSUED, note
from gateway.management.logging_in import log_in_here
from gateway.management.members import in_words, read_secret
from tokens.logins import login_ask
from tokens.models import Trigger


class Command(BaseCommand):
    help = "Add a member with an XJTLU account. With a password, the workers log it in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the member's name in the gateway")
        parser.add_argument("--xjtlu-username", required=True, help="such as San.Zhang24")
        parser.add_argument("--xjtlu-password-file", metavar="FILE", help="a file with the password, or - for stdin")
        parser.add_argument("--email", default="")
        parser.add_argument("--log-in", action="store_true", help="log in at once and show the steps")
        parser.add_argument("--issue-key", action="store_true", help="issue the first API key")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, name: str, xjtlu_username: str, **options: Any) -> None:
        password = read_secret(options["xjtlu_password_file"])
        if options["log_in"] and not password:
            raise CommandError("--log-in needs --xjtlu-password-file.")
        try:
            account = member_add(
                name=name, xjtlu_username=xjtlu_username, xjtlu_password=password, email=options["email"]
            )
        except ValidationError as error:
            raise CommandError(in_words(error)) from None
        note("add_member", ADDED, account)
        text = self._issue_key(account) if options["issue_key"] else None
        self._tell(name, text, as_json=options["json"])
        if password:
            self._log_in(account, here=options["log_in"])

    def _issue_key(self, account: Account) -> str:
        key, text = key_issue(member=account.member)
        note("add_member", KEY_ISSUED, key)
        return text

    def _tell(self, name: str, key: str | None, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"member": name, "api_key": key}))
            return
        self.stdout.write(f"Added {name}.")
        if key:
            self.stdout.write(f"API key (shown only now): {key}")

    def _log_in(self, account: Account, *, here: bool) -> None:
        if here:
            log_in_here(account, show=self.stderr.write)
        else:
            login_ask(account=account, trigger=Trigger.ADDED)
