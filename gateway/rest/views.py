"""What the views of the management API share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import audit
from gateway.addresses import client_address
from gateway.allowances import Standing
from gateway.rest.scope import asker, refuse_without


class View(APIView):
    """Nothing of it is kept by a browser or a proxy: answers may hold a new key."""

    permissions: ClassVar[Mapping[str, str]] = {}
    """By method, what staff need to reach what is not their own: the permission that the admin's pages ask for."""

    @property
    def permission(self) -> str:
        """That of this request; "" for a method that there is not."""
        method = self.request.method or ""
        return self.permissions.get("GET" if method in ("HEAD", "OPTIONS") else method, "")

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """With what the key has left, where it has limits: also where it has none left."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        standing: Standing | None = getattr(self.request._request, "key_standing", None)
        for name, value in (standing.headers() if standing else {}).items():
            answer.headers[name] = value
        return answer

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        if any("\0" in text for text in (request.path, *request.query_params.values())):
            # PostgreSQL refuses it in the middle of a query.
            raise exceptions.ValidationError(_("The address holds a NUL character."))


class IsStaff(BasePermission):
    """For staff who have the view's permission."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        if not request.user.is_staff:
            raise exceptions.PermissionDenied(_("This is for the gateway's staff."))
        if isinstance(view, View) and view.permission:
            refuse_without(request, view.permission)
        return True


class NoSuchPath(View):
    """Every other path under /api/: programs expect JSON there."""

    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        message = _("There is no %(path)s. Paths end with a slash; /api/docs/ lists them.")
        raise exceptions.NotFound(message % {"path": request.path[:200]}, code="unknown_url")


def note(request: Request, action: str, target: Model, changes: Sequence[audit.Change] = ()) -> None:
    """Write into the audit what was done by the request, and from where. `action` is English, for translation."""
    actor, address = asker(request), client_address(request._request)
    audit.note(actor=actor, action=action, target=target, address=address, changes=changes)
