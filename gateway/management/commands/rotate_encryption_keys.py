"""`manage.py rotate_encryption_keys`: every stored secret sealed anew, while the service runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import models

from accounts import crypto
from accounts.crypto import SealedField


class Command(BaseCommand):
    help = "Put a new encryption key in front, and seal every stored secret with it. The service may run meanwhile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-new-key", action="store_true", help="only seal with the key that is newest already")
        parser.add_argument("--forget-old-keys", action="store_true", help="afterwards; older backups need a copy")

    def handle(self, *, no_new_key: bool, forget_old_keys: bool, **options: Any) -> None:
        try:
            if not no_new_key:
                crypto.add_key()
            # A running process may have sealed with the older key a moment ago: go on until nothing is left.
            while changed := sum(_rotate(model, field) for model, field in sealed_fields()):
                self.stdout.write(f"Sealed {changed} values anew.")
            if forget_old_keys:
                crypto.forget_old_keys()
        except (ImproperlyConfigured, crypto.CannotUnseal) as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Every stored secret is sealed with the newest key.")


def sealed_fields() -> list[tuple[type[models.Model], str]]:
    """Every column that holds sealed values."""
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, SealedField)
    ]


def _rotate(model: type[models.Model], field: str) -> int:
    """Rows sealed anew. A value that changed meanwhile is left to the next round."""
    changed = 0
    for row in model._default_manager.exclude(**{field: ""}):
        old = getattr(row, field)
        if not crypto.is_current(old):
            new = crypto.seal(row, field, crypto.unseal(row, field))
            changed += model._default_manager.filter(pk=row.pk, **{field: old}).update(**{field: new})
    return changed
