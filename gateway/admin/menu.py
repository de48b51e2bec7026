"""The admin's menu. An entry that leads to rows is shown to those who may see them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """What the theme shows: groups of entries."""
    return [
        {"items": [_entry(_("Overview"), "space_dashboard", reverse("admin:index"))]},
        {
            "title": _("People"),
            "separator": True,
            "items": [
                _rows(request, _("Members"), "group", "accounts", "member"),
                _rows(request, _("Accounts"), "verified_user", "accounts", "account"),
                _rows(request, _("API keys"), "key", "accounts", "apikey"),
                _rows(request, _("Invitations"), "mail", "accounts", "invitation"),
            ],
        },
        {
            "title": _("At work"),
            "separator": True,
            "items": [
                _rows(request, _("Usage"), "receipt_long", "gateway", "usagerecord"),
                _rows(request, _("Logins"), "login", "tokens", "loginattempt"),
                _rows(request, _("Sessions"), "forum", "gateway", "upstreamsession"),
            ],
        },
        {
            "title": _("Oversight"),
            "separator": True,
            "items": [_rows(request, _("Audit"), "policy", "accounts", "auditentry")],
        },
        {
            "separator": True,
            "items": [_entry(_("My dashboard"), "monitoring", reverse("dashboard:overview"))],
        },
    ]


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Below the person's name."""
    return [{"title": _("My settings"), "link": reverse("dashboard:settings")}]


def _entry(title: Text, icon: str, link: str, *, shown: bool = True) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link, "permission": lambda request: shown}


def _rows(request: HttpRequest, title: Text, icon: str, app: str, model: str) -> dict[str, Any]:
    shown = any(request.user.has_perm(f"{app}.{may}_{model}") for may in ("view", "change"))
    return _entry(title, icon, reverse(f"admin:{app}_{model}_changelist"), shown=shown)
