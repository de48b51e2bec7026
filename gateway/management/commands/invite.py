"""`manage.py invite NAME`: an invitation link, printed once."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.invitations import VALID_FOR, invitation_make, link
from accounts.models import Member
from gateway.management.audited import INVITED, note


class Command(BaseCommand):
    help = "Make a one-time link with which a member chooses a password. Links made for the member before stop working."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("member", help="the member's name")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, member: str, **options: Any) -> None:
        invited = Member.objects.filter(username=member, is_active=True, leaving_at=None).first()
        if invited is None:
            raise CommandError(f"There is no member {member!r} who may sign in.")
        _, secret = invitation_make(member=invited, created_by=None)
        note("invite", INVITED, invited)
        address = link(None, secret)
        if options["json"]:
            self.stdout.write(json.dumps({"link": address}))
        else:
            self.stdout.write(f"Invitation link (works once, for {VALID_FOR.days} days): {address}")
