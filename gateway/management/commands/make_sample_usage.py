"""`manage.py make_sample_usage`: made-up usage for charts and for load; `--remove` takes it away again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Member
from gateway.management import sample_usage


class Command(BaseCommand):
    help = "Make usage records that look like a group at work, marked as samples; or remove them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--rows", type=int, help="how many records to make")
        what.add_argument("--remove", action="store_true", help="remove all records that this command made")
        parser.add_argument("--days", type=int, default=30, help="spread them over so many days before now")
        parser.add_argument("--member", metavar="NAME", help="give them all to this member, else to all members")
        parser.add_argument("--seed", type=int, help="make the same records each time")

    def handle(
        self, *, rows: int | None, remove: bool, days: int, member: str | None, seed: int | None, **options: Any
    ) -> None:
        if remove:
            sample_usage.remove(say=self.stdout.write)
            return
        if rows is None or rows < 1 or not 1 <= days <= 3650:
            raise CommandError("--rows must be at least 1, and --days from 1 to 3650.")
        sample_usage.make(_members(member), rows=rows, days=days, seed=seed, say=self.stdout.write)


def _members(name: str | None) -> list[Member]:
    """Raises `CommandError` where there is nobody."""
    members = Member.objects.order_by("pk")
    found = list(members.filter(username=name) if name else members)
    if not found:
        raise CommandError(
            f"There is no member {name!r}." if name else "There are no members. Add one with add_member."
        )
    return found
