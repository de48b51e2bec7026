"""What may be done with a key: it opens no more than it does itself, or whoever finds it could widen it.

What widens is left to a signed-in person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any, cast

from django.utils.translation import gettext as _
from rest_framework import exceptions

from accounts.models import ApiKey

BOUNDS = ("allowed_models", "allowed_networks", "requests_per_minute", "requests_per_day", "expires_at")


def bounds_for_new(opener: ApiKey, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a key that is made with `opener`: where none is named, its own bounds. Raises 403."""
    if opener.requests_per_minute is not None or opener.requests_per_day is not None:
        # A second key would count for itself.
        raise _refused(_("A key with a limit of requests cannot create keys. Create them in the dashboard."))
    settings = {**{name: getattr(opener, name) for name in BOUNDS}, **wanted}
    check_changes(opener, settings)
    return settings


def check_changes(opener: ApiKey, changes: Mapping[str, Any], *, of: ApiKey | None = None) -> None:
    """Whether what is changed stays within what `opener` may do. Raises 403."""
    if changes.get("may_manage") and not (of and of.may_manage):
        raise _refused(_("Only a signed-in person can open the management API to a key, in the dashboard."))
    for name in BOUNDS:
        if name in changes and not _is_within(name, changes[name], getattr(opener, name)):
            message = _("With this key, %(field)s can be no wider than its own. Change it in the dashboard.")
            raise _refused(message % {"field": name})


def check_rotation(opener: ApiKey, key: ApiKey) -> None:
    """Whoever rotates a key gets its text: so with `opener` only itself, or a key that may do no more. Raises 403."""
    if key.pk == opener.pk:
        return
    wider = any(not _is_within(name, getattr(key, name), getattr(opener, name)) for name in BOUNDS)
    counted = opener.requests_per_minute is not None or opener.requests_per_day is not None
    if key.may_manage or counted or wider:
        raise _refused(_("This key may do more than the one that you use. Rotate it in the dashboard."))


def _is_within(name: str, wanted: Any, own: Any) -> bool:
    if name == "allowed_models":
        return _are_models_within(wanted, own)
    if name == "allowed_networks":
        return _are_networks_within(wanted, own)
    return _is_limit_within(wanted, own)


def _are_models_within(wanted: Sequence[str], own: Sequence[str]) -> bool:
    return not own or (bool(wanted) and set(wanted) <= set(own))


def _are_networks_within(wanted: Sequence[str], own: Sequence[str]) -> bool:
    return not own or (bool(wanted) and all(any(_lies_in(each, outer) for outer in own) for each in wanted))


def _lies_in(inner: str, outer: str) -> bool:
    small, large = ip_network(inner), ip_network(outer)
    # Their types are the same where their versions are.
    return small.version == large.version and cast(Any, small).subnet_of(large)


def _is_limit_within(wanted: float | datetime | None, own: Any) -> bool:
    return own is None or (wanted is not None and wanted <= own)


def _refused(message: str) -> exceptions.PermissionDenied:
    return exceptions.PermissionDenied(message, code="key_may_not_widen")
