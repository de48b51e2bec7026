"""Parts of pages that htmx fetches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect

View = Callable[..., HttpResponse]


def signed_in(view: View) -> View:
    """As `login_required`; but of a part of a page, the whole page goes to the sign-in, not the part."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        htmx: Any = request.htmx  # type: ignore[attr-defined]
        if not htmx:
            return redirect_to_login(request.get_full_path())
        return HttpResponseClientRedirect(redirect_to_login(htmx.current_url_abs_path or "/").url)

    return guarded


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part; going back in the history it wants the whole page."""
    htmx: Any = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request
