"""What a member types on the page of their XJTLU account."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy


class XjtluPasswordForm(forms.Form):
    xjtlu_password = forms.CharField(
        label=gettext_lazy("XJTLU password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Stored encrypted and never shown. The gateway tries it once, at once."),
    )
