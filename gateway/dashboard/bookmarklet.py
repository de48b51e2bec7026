"""The bookmarklet: pressed on the portal, it hands the token of that page over to a window of ours.

The token is posted only to our own window, once that has said its one-time number. What follows is in `handover.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

SCRIPT = Path(__file__).with_name("bookmarklet.js").read_text(encoding="utf-8")


def portal_origin() -> str:
    """Scheme, host and port of the portal: who may talk to the window of a handover."""
    parts = urlsplit(settings.XIPU_PORTAL_URL)
    return f"{parts.scheme}://{parts.netloc}".lower()


def bookmarklet(request: HttpRequest) -> str:
    """Its address (`javascript:…`), with this gateway's and the portal's origins and words in the reader's language."""
    ours = urlsplit(settings.PUBLIC_URL or request.build_absolute_uri("/"))
    filled = {
        "GATEWAY": f"{ours.scheme}://{ours.netloc}",
        "PORTAL": portal_origin(),
        "PATH": reverse("dashboard:handover"),
        "WORDS": {
            "elsewhere": _("Press this bookmark on the school's XIPU AI page: %(portal)s")
            % {"portal": portal_origin()},
            "nothing": _("No token was found on this page. Sign in, open the chat, and press the bookmark again."),
            "blocked": _("The browser blocked the gateway's window. Allow pop-ups for this page and press again."),
        },
    }
    script = SCRIPT.partition("\n")[2]
    for name, value in filled.items():
        script = script.replace(name, json.dumps(value), 1)
    return "javascript:" + quote(script, safe="")
