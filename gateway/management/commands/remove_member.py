"""`manage.py remove_member NAME`: the sessions at the school are cleaned, the secrets erased, usage kept nameless."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Member
from accounts.reach import is_last_admin
from gateway import departure
from gateway.management.audited import REMOVED, note


class Command(BaseCommand):
    help = "Remove a member. Keys stop working at once; the workers clean up at the school and erase the rest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the member's name")

    def handle(self, *, name: str, **options: Any) -> None:
        member = Member.objects.filter(username=name).first()
        if member is None:
            raise CommandError(f"There is no member {name!r}.")
        if is_last_admin(member):
            raise CommandError(f"Nobody else than {name} is an active admin. Make somebody else an admin first.")
        note("remove_member", REMOVED, member)
        departure.begin(member=member)
        self.stdout.write(f"{name} is leaving: the workers clean up at the school first.")
