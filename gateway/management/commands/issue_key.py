"""`manage.py issue_key NAME`: an API key, printed once."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.keys import KeyRefused, key_issue
from accounts.models import Member
from gateway.management.audited import KEY_ISSUED, note


class Command(BaseCommand):
    help = "Issue an API key to a member. Its text is printed now and never again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("member", help="the member's name")
        parser.add_argument("--name", default="default", help="what the key is for")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, member: str, name: str, **options: Any) -> None:
        owner = Member.objects.filter(username=member, leaving_at=None).first()
        if owner is None:
            raise CommandError(f"There is no member {member!r}.")
        try:
            key, text = key_issue(member=owner, name=name)
        except KeyRefused as error:
            raise CommandError(str(error)) from None
        note("issue_key", KEY_ISSUED, key)
        self.stdout.write(json.dumps({"api_key": text}) if options["json"] else f"API key (shown only now): {text}")
