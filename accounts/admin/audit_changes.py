"""Old and new values of an audit entry, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.admin.members import PERMISSIONS, permission_in_words
from accounts.models import Account, ApiKey, AuditEntry, Member
from gateway.formats import UNKNOWN, moment

MODELS: dict[str, type[models.Model]] = {"member": Member, "account": Account, "apikey": ApiKey}
"""The kinds of which `accounts.audit.TOLD` tells values."""


def changes_in_words(entry: AuditEntry) -> list[str]:
    """`Name: old → new` for each column."""
    return [_in_words(MODELS[entry.target_kind]._meta.get_field(column), *values) for column, *values in entry.changes]


def _in_words(field: Any, before: Any, after: Any) -> str:
    told = {"column": capfirst(field.verbose_name), "before": _value(field, before), "after": _value(field, after)}
    return _("%(column)s: %(before)s → %(after)s") % told


def _value(field: Any, value: Any) -> str:
    if value in (None, "", []):
        return UNKNOWN
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(field, models.DateTimeField):
        return moment(datetime.fromisoformat(value))
    if isinstance(field, models.ManyToManyField):
        return ", ".join(map(_permission, value))
    return ", ".join(value) if isinstance(value, list) else str(value)


def _permission(codename: str) -> str:
    model = codename.partition("_")[2]
    known = {each._meta.model_name: each for each in apps.get_models()}
    return permission_in_words(codename, known[model]) if model in PERMISSIONS else codename
