"""A member's keys as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.keys import CHECK_NAME
from accounts.models import ApiKey, Member
from gateway.formats import Tone

SOON = timedelta(days=7)
GONE_SHOWN = 100
CONNECTION_CHECKS = "checks"
"""In place of a key in the log's filter: all of those that were made for a check."""


@dataclass(frozen=True)
class KeyRow:
    """A key, and the newest one that was made in its place."""

    key: ApiKey
    replaced_by: ApiKey | None

    @property
    def can_be_rotated(self) -> bool:
        return self.key.is_live and not (self.replaced_by and self.replaced_by.is_live)

    @property
    def state(self) -> tuple[str, Tone]:
        """A word and its colour."""
        key = self.key
        if key.revoked_at is not None:
            return _("Revoked"), "quiet"
        if not key.is_live:
            return (_("Replaced") if self.replaced_by else _("Expired")), "quiet"
        if self.replaced_by is not None:
            return _("Being replaced"), "warn"
        if key.expires_at is not None and key.expires_at - timezone.now() < SOON:
            return _("Expires soon"), "warn"
        return _("Works"), "good"

    @property
    def in_log(self) -> str:
        """The key as the log's filter knows it."""
        return CONNECTION_CHECKS if self.key.name == CHECK_NAME else str(self.key.pk)

    @property
    def limits(self) -> list[str]:
        """What bounds the key, in words."""
        key, words = self.key, []
        if key.requests_per_minute is not None:
            words.append(_("%(number)s a minute") % {"number": f"{key.requests_per_minute:,}"})
        if key.requests_per_day is not None:
            words.append(_("%(number)s a day") % {"number": f"{key.requests_per_day:,}"})
        if key.allowed_models:
            words.append(_("models: %(names)s") % {"names": ", ".join(key.allowed_models)})
        if key.allowed_networks:
            words.append(_("networks: %(names)s") % {"names": ", ".join(key.allowed_networks)})
        return words

    @property
    def extras(self) -> list[str]:
        """What the key does besides."""
        key = self.key
        extras = (
            (key.web_search, _("Web search")),
            (key.fold_reasoning, _("Folds reasoning")),
            (key.may_manage, _("Management API")),
        )
        return [label for wanted, label in extras if wanted]


def rows_of(member: Member) -> tuple[list[KeyRow], list[KeyRow]]:
    """The keys that work, and the newest of those that do not any more."""
    rows = _rows(member.api_keys.order_by("-created_at"))
    gone = [row for row in rows if not row.key.is_live and row.key.name != CHECK_NAME]
    return [row for row in rows if row.key.is_live], gone[:GONE_SHOWN]


def row_of(key: ApiKey) -> KeyRow:
    return KeyRow(key, key.replacements.order_by("-created_at").first())


def _rows(keys: Iterable[ApiKey]) -> list[KeyRow]:
    keys = list(keys)
    replaced_by = {key.replaces_id: key for key in reversed(keys) if key.replaces_id}
    return [KeyRow(key, replaced_by.get(key.pk)) for key in keys]
