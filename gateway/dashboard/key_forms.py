"""The forms of the keys' pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import keys
from accounts.keys import KeySettings
from accounts.models import ApiKey
from gateway.formats import moment
from gateway.once import OnceField

MOST_REQUESTS = 1_000_000
DAY = timedelta(days=1)
NEVER, KEEP = "never", "keep"
EXPIRIES = (
    (NEVER, _("Never")),
    ("7", _("In 7 days")),
    ("30", _("In 30 days")),
    ("90", _("In 90 days")),
    ("365", _("In a year")),
)
GRACES = (
    ("0", _("At once")),
    ("1", _("After 1 hour")),
    ("24", _("After 24 hours")),
    ("168", _("After 7 days")),
)
SETTINGS = tuple(KeySettings.__annotations__)


class KeyForm(forms.Form):
    """A new key. `models`: the ids and labels of the account's catalogue."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("Where you use it, such as “Laptop” or “Dify”.")
    )
    expiry = forms.ChoiceField(label=_("Expires"), choices=EXPIRIES, initial=NEVER)
    allowed_models = forms.MultipleChoiceField(
        label=_("Models"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("None chosen: all of them.")
    )
    requests_per_minute = forms.IntegerField(
        label=_("Requests per minute"), required=False, min_value=1, max_value=MOST_REQUESTS
    )
    requests_per_day = forms.IntegerField(
        label=_("Requests per day"),
        required=False,
        min_value=1,
        max_value=MOST_REQUESTS,
        help_text=_("Days begin at 0:00 UTC, which is 8:00 in China."),
    )
    allowed_networks = forms.CharField(
        label=_("Networks"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "192.0.2.7  10.0.0.0/8"}),
        help_text=_(
            "Addresses or networks from which the key may be used, separated by spaces. Empty: from everywhere."
        ),
    )
    web_search = forms.BooleanField(
        label=_("Search the web"), required=False, help_text=_("In every chat with a model that can.")
    )
    fold_reasoning = forms.BooleanField(
        label=_("Fold reasoning"),
        required=False,
        help_text=_("Gives reasoning inside <think> tags, for clients that do not know the field reasoning_content."),
    )
    may_manage = forms.BooleanField(
        label=_("Management API"),
        required=False,
        help_text=_("The key also opens the management API under /api/: your keys and your usage."),
    )
    once = OnceField()

    def __init__(self, *args: Any, models: Iterable[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["allowed_models"]
        assert isinstance(choices, forms.MultipleChoiceField)
        choices.choices = list(models)

    def clean_allowed_networks(self) -> list[str]:
        """Raises `ValidationError` naming what is no network."""
        return keys.networks(re.split(r"[\s,;]+", self.cleaned_data["allowed_networks"]))

    @property
    def settings(self) -> KeySettings:
        return cast(KeySettings, {name: self.cleaned_data[name] for name in SETTINGS})

    @property
    def expires_at(self) -> datetime | None:
        chosen = self.cleaned_data["expiry"]
        return None if chosen == NEVER else timezone.now() + int(chosen) * DAY

    @property
    def opens_settings(self) -> bool:
        """Whether something that the page folds away is set, or wrong."""
        return any(self[name].value() or name in self.errors for name in SETTINGS)


class KeyChangeForm(KeyForm):
    """A key's name and settings. Models that it has but that are not offered any more stay choices."""

    def __init__(self, *args: Any, key: ApiKey, models: Iterable[tuple[str, str]] = (), **kwargs: Any) -> None:
        offered = dict(models)
        gone = {model_id: model_id for model_id in key.allowed_models if model_id not in offered}
        super().__init__(*args, models=(offered | gone).items(), initial=_initial(key), **kwargs)
        self.key = key
        expiry = self.fields["expiry"]
        assert isinstance(expiry, forms.ChoiceField)
        if key.expires_at is not None:
            expiry.choices = [(KEEP, _("As it is: %(time)s") % {"time": moment(key.expires_at)}), *EXPIRIES]

    def clean_expiry(self) -> str:
        """A key that was rotated ends with its grace: to live on, it would have to be asked for by name."""
        chosen = str(self.cleaned_data["expiry"])
        if chosen != KEEP and self.key.replacements.exists():
            raise ValidationError(_("Another key replaces this one, so its expiry stays as it is."))
        return chosen

    @property
    def expires_at(self) -> datetime | None:
        return self.key.expires_at if self.cleaned_data["expiry"] == KEEP else super().expires_at


class RotateForm(forms.Form):
    grace = forms.ChoiceField(
        label=_("When does the old key stop?"), choices=GRACES, initial="24", widget=forms.RadioSelect
    )
    once = OnceField()

    @property
    def duration(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["grace"]))


def _initial(key: ApiKey) -> dict[str, Any]:
    return {
        **{name: getattr(key, name) for name in SETTINGS},
        "name": key.name,
        "expiry": NEVER if key.expires_at is None else KEEP,
        "allowed_networks": " ".join(key.allowed_networks),
    }
