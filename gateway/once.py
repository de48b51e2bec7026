"""Forms that must not act twice when their page is sent again: what they show cannot be shown a second time."""

from __future__ import annotations

from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

SESSION_KEY = "forms_sent"
KEPT = 100
SENT_BEFORE = _("This form was sent before, and what it issued was shown then. Nothing was issued now.")


class OnceField(forms.UUIDField):
    """A hidden number, new on every page, by which a form that is sent again is told from a new one."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(label="", initial=uuid4, required=False)


def is_first(request: HttpRequest, number: UUID | str | None) -> bool:
    """Whether this person sends the form for the first time. A request without a number comes from no page of ours."""
    sent: list[str] = request.session.get(SESSION_KEY, [])
    if not number:
        return True
    if str(number) in sent:
        return False
    request.session[SESSION_KEY] = [*sent, str(number)][-KEPT:]
    return True
