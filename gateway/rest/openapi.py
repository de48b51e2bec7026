"""What the schema says besides the views: how one signs in, which permission staff need, and how errors look."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from gateway.rest.views import IsStaff, View

ERRORS = {
    "400": ("The request is wrong: `param` names the field.", "invalid_value", "invalid_request_error"),
    "401": ("Nobody is signed in, or the key is not valid.", "not_authenticated", "authentication_error"),
    "403": ("Not allowed: the message says what to do.", "permission_denied", "permission_error"),
    "404": ("There is no such thing, or it is not yours.", "not_found", "invalid_request_error"),
    "429": ("Too many requests: wait for the seconds of `Retry-After`.", "throttled", "rate_limit_error"),
}
METHODS = {"get", "post", "patch", "put", "delete"}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "gateway.rest.authentication.KeyAuthentication"
    name = "apiKey"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "xg-…",
            "description": "An API key for which “Management API” is switched on, on the page “API keys”.",
        }


class PageScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.rest.authentication.PageAuthentication"
    name = "session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of the dashboard. Changes need the CSRF token in the header `X-CSRFToken`.",
        }


class PermissionSchema(AutoSchema):
    """Each operation's description ends with the permission that its view asks for."""

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        description: str = super().get_description()
        permission = self.view.permissions.get(self.method, "") if isinstance(self.view, View) else ""
        if not permission:
            return description
        is_for_staff = IsStaff in self.view.permission_classes
        return f"{description}\n\n{'Needs' if is_for_staff else '`member` needs'} the permission `{permission}`."


def with_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: each operation names the errors that it can answer with."""
    result["components"].setdefault("schemas", {})["Error"] = _error_schema()
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method in METHODS:
                operation["responses"].update(_responses(operation))
    return result


def _responses(operation: dict[str, Any]) -> dict[str, Any]:
    takes_something = bool(operation.get("parameters") or operation.get("requestBody"))
    statuses = set(ERRORS) if takes_something else {"401", "403", "429"}
    return {status: _response(*ERRORS[status]) for status in sorted(statuses)}


def _response(description: str, code: str, kind: str) -> dict[str, Any]:
    error = {"message": description, "type": kind, "param": None, "code": code}
    content = {"schema": {"$ref": "#/components/schemas/Error"}, "example": {"error": error}}
    return {"description": description, "content": {"application/json": content}}


def _error_schema() -> dict[str, Any]:
    text = {"type": "string"}
    inner = {
        "type": "object",
        "required": ["message", "type", "param", "code"],
        "properties": {
            "message": {**text, "description": "What happened and what to do, in the language of the request."},
            "type": text,
            "param": {**text, "nullable": True, "description": "The field that is wrong."},
            "code": {**text, "description": "For programs; it stays the same in every language."},
        },
    }
    return {"type": "object", "required": ["error"], "properties": {"error": inner}}
