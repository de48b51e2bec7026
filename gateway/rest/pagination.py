"""Pages of a list that stay quick however long it is: each begins after the last row of the one before."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:
    from rest_framework.views import APIView

DEFAULT_ROWS = 50
MOST_ROWS = 200


class NewestFirst(BasePagination):
    """By `created_at` and `id`, descending. `next` is the address of the following page, null on the last."""

    next: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        limit = _limit(request)
        if cursor := request.query_params.get("cursor"):
            queryset = queryset.filter(_after(queryset.model, cursor))
        rows = list(queryset.order_by("-created_at", "-pk")[: limit + 1])
        if len(rows) > limit:
            self.next = replace_query_param(request.build_absolute_uri(), "cursor", _cursor(rows[limit - 1]))
        return rows[:limit]

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response({"next": self.next, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {
            "type": "string",
            "nullable": True,
            "format": "uri",
            "description": "The address of the following page; null on the last one.",
            "example": "https://gateway.example/api/usage/?cursor=WyIyMDI2LTExLTIyVDA4OjAwOjAwKzAwOjAwIiwgIjQyIl0",
        }
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS}
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins, as `next` of the page before has it.",
                "schema": {"type": "string"},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows of a page.",
                "schema": limit,
            },
        ]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_ROWS))
    if not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST_ROWS):
        message = _("Give a number from 1 to %(most)d.") % {"most": MOST_ROWS}
        raise exceptions.ValidationError({"limit": [message]})
    return int(text)


def _cursor(row: Any) -> str:
    text = json.dumps([row.created_at.isoformat(), str(row.pk)])
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(model: type[Model], cursor: str) -> Q:
    """The rows after the one that the cursor names."""
    try:
        at, pk = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        created_at = datetime.fromisoformat(at).astimezone(UTC)
        key = model._meta.pk.to_python(str(pk))
        model._meta.pk.run_validators(key)
    except (ValueError, TypeError, OverflowError, ValidationError):
        message = _("This is no cursor. Take it from “next” of the page before.")
        raise exceptions.ValidationError({"cursor": [message]}) from None
    # The first condition bounds the index; alternatives alone would not.
    return Q(created_at__lte=created_at) & (Q(created_at__lt=created_at) | Q(pk__lt=key))
