"""The page that asks before an action that cannot be undone, or that costs something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

CONFIRMED = "confirmed"


@dataclass(frozen=True)
class Option:
    """Rows that the action leaves out unless the box `name` is ticked."""

    name: str
    lead: str
    label: str
    rows: Sequence[Any]


@dataclass(frozen=True)
class Question:
    """What happens to the rows, and the words of the button that does it."""

    action: str
    rows: Sequence[Any]
    lead: str
    yes: str
    more: str = ""
    option: Option | None = None


def is_confirmed(request: HttpRequest) -> bool:
    return CONFIRMED in request.POST


def confirmation_page(request: HttpRequest, question: Question, *, opts: Any) -> TemplateResponse:
    """The answer is posted to the address at which the question was put."""
    context = {
        **admin.site.each_context(request),
        "title": _("Are you sure?"),
        "opts": opts,
        "question": question,
        "rows": [*question.rows, *(question.option.rows if question.option else ())],
        "checkbox": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
    }
    return TemplateResponse(request, "admin/confirmation.html", context)
