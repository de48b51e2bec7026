"""The one page on which the text of a new API key is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.keys import key_issue
from accounts.models import ApiKey, Member


@dataclass(frozen=True)
class IssuedKey:
    """A new key with its text, for one answer."""

    key: ApiKey
    text: str = field(repr=False)


def issue(member: Member, *, name: str = "default", expires_at: datetime | None = None) -> IssuedKey:
    key, text = key_issue(member=member, name=name, expires_at=expires_at)
    return IssuedKey(key, text)


def keys_page(
    request: HttpRequest, issued: list[IssuedKey], *, added: str = "", back: str, log_in: bool = False
) -> TemplateResponse:
    """The answer to the POST that issued the keys. No cache keeps it, and no other page can show them."""
    context = {
        **admin.site.each_context(request),
        "title": _("Member added") if added else ngettext("New API key", "New API keys", len(issued)),
        "issued": issued,
        "added": added,
        "log_in": log_in,
        "back": back,
    }
    page = TemplateResponse(request, "admin/accounts/keys_issued.html", context)
    page["Cache-Control"] = "no-store"
    return page
