"""The audit: who did what to which account, key or member, and from where.

Edges write an entry after the change that it tells of; before a deletion, since afterwards the target has no id. An
action is a short English sentence in the past tense, marked with `gettext_noop` where it stands, so that pages
translate it when they show it. Never put a secret, or what a member wrote, into one.
"""

from __future__ import annotations

from django.db.models import CharField, Model

from accounts.models import Account, AuditEntry, Member

NOBODY = "system"


def note(
    *, actor: Member | None, action: str, target: Model, address: str | None = None, actor_name: str = ""
) -> AuditEntry:
    """Write down one action. `actor_name` tells who acted where no member did, such as a command's name."""
    return AuditEntry.objects.create(
        actor=actor,
        actor_name=_cut("actor_name", actor.get_username() if actor else actor_name or NOBODY),
        address=address,
        action=_cut("action", action),
        target_kind=_cut("target_kind", str(target._meta.model_name)),
        target_id=_cut("target_id", str(target.pk)),
        target_name=_cut("target_name", str(target)),
    )


def forget_username(*, account: Account, instead: str) -> None:
    """Put another name in place of the XJTLU username, which goes with its account; what was done to it stays."""
    about = AuditEntry.objects.filter(target_kind=str(account._meta.model_name), target_id=str(account.pk))
    about.update(target_name=_cut("target_name", instead))


def _cut(field: str, text: str) -> str:
    """PostgreSQL refuses what is longer than its column; a cut name still tells."""
    column = AuditEntry._meta.get_field(field)
    return text[: column.max_length] if isinstance(column, CharField) else text
