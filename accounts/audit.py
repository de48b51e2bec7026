"""The audit: who did what to which account, key or member, and from where.

Edges write an entry after the change that it tells of; before a deletion, since afterwards the target has no id. An
action is a short English sentence in the past tense, marked with `gettext_noop` where it stands, so that pages
translate it when they show it. Never put a secret, or what a member wrote, into one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import Permission
from django.db.models import CharField, Model, QuerySet

from accounts.models import Account, AuditEntry, Member

NOBODY = "system"
TOLD = {
    "member": ("username", "is_active", "is_staff", "is_superuser", "user_permissions"),
    "account": ("username",),
    "apikey": (
        *("name", "expires_at", "allowed_models", "allowed_networks", "requests_per_minute", "requests_per_day"),
        *("web_search", "fold_reasoning", "may_manage"),
    ),
}
"""The columns whose values an entry may hold. Of any other it says at most that it was changed."""


class Change(NamedTuple):
    """A column's values, as JSON has them; permissions by their codenames."""

    column: str
    before: Any
    after: Any


def note(
    *,
    actor: Member | None,
    action: str,
    target: Model,
    address: str | None = None,
    actor_name: str = "",
    changes: Sequence[Change] = (),
) -> AuditEntry:
    """Write down one action. `actor_name` tells who acted where no member did, such as a command's name."""
    member = target if isinstance(target, Member) else getattr(target, "member", None)
    return AuditEntry.objects.create(
        actor=actor,
        actor_name=_cut("actor_name", actor.get_username() if actor else actor_name or NOBODY),
        address=address,
        action=_cut("action", action),
        target_kind=_cut("target_kind", str(target._meta.model_name)),
        target_id=_cut("target_id", str(target.pk)),
        target_name=_cut("target_name", str(target)),
        member=member,
        member_name=_cut("member_name", member.get_username() if member else ""),
        changes=[list(change) for change in changes],
    )


def changes_of(row: Model, after: Mapping[str, Any]) -> list[Change]:
    """What may be told of the new values in `after`, before the row takes them."""
    return changes(type(row), {column: getattr(row, column) for column in _told(type(row)) if column in after}, after)


def changes(model: type[Model], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What may be told of the columns that differ; those that `after` does not name are as they were."""
    found = (Change(each, _plain(before.get(each)), _plain(after[each])) for each in _told(model) if each in after)
    return [change for change in found if change.before != change.after]


def forget_usernames(*, account: Account, instead: str) -> None:
    """Put another name in place of the XJTLU usernames, which go with their account; what was done to it stays."""
    about = AuditEntry.objects.filter(target_kind=str(account._meta.model_name), target_id=str(account.pk))
    about.update(target_name=_cut("target_name", instead), changes=[])


def _told(model: type[Model]) -> tuple[str, ...]:
    return TOLD.get(str(model._meta.model_name), ())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, QuerySet | list | tuple):
        return sorted(each.codename if isinstance(each, Permission) else str(each) for each in value)
    return value


def _cut(field: str, text: str) -> str:
    """PostgreSQL refuses what is longer than its column; a cut name still tells."""
    column = AuditEntry._meta.get_field(field)
    return text[: column.max_length] if isinstance(column, CharField) else text
