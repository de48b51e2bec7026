"""Links from one admin page to another."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def row_link(row: Model) -> SafeString:
    """The row's name, leading to its page."""
    opts = row._meta
    page = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
    return format_html('<a class="link" href="{}">{}</a>', page, row)


def list_link(name: str, text: Any, **chosen: Any) -> SafeString:
    """The list of the admin's URL name such as `accounts_apikey`, filtered by lookups."""
    query = "&".join(f"{lookup}={value}" for lookup, value in chosen.items())
    return format_html('<a class="link" href="{}?{}">{}</a>', reverse(f"admin:{name}_changelist"), query, text)
