"""The form by which a token is pasted, on the member's page and in the admin."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MAX_TOKEN_CHARACTERS = 40_000


class TokenForm(forms.Form):
    """A token as JSON; what is wrong with its fields, `token_import` says."""

    token = forms.CharField(
        label=gettext_lazy("Token as JSON"),
        max_length=MAX_TOKEN_CHARACTERS,
        widget=forms.Textarea(
            attrs={
                "rows": 7,
                "spellcheck": "false",
                "autocomplete": "off",
                "class": "mono",
                "placeholder": '{\n  "jm_token": "…",\n  "sdp_app_session": "",\n  "cookies": {"…": "…"},\n  "api_url": "https://…/api"\n}',
            }
        ),
    )

    def clean_token(self) -> Any:
        try:
            return json.loads(self.cleaned_data["token"])
        except (json.JSONDecodeError, RecursionError) as error:
            if isinstance(error, RecursionError):
                raise forms.ValidationError(_("This is not JSON.")) from None
            place = {"line": error.lineno, "column": error.colno}
            raise forms.ValidationError(
                _("This is not JSON: look at line %(line)d, column %(column)d."), params=place
            ) from None
