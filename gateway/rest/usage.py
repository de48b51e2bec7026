"""`/api/usage/`: the records of requests, one with its way and its cause, and sums by hour or day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.models import UsageRecord, UsageStatus
from gateway.rest.pagination import NewestFirst
from gateway.rest.scope import MEMBER_PARAMETER, member_asked_for, records_of
from gateway.rest.sums import Sum, sums
from gateway.rest.views import View
from gateway.usage import rollups
from gateway.usage.explanations import Retry, Who, explain
from gateway.usage.log import Filters
from gateway.usage.timeline import timeline

LONGEST = {"hour": timedelta(days=31), "day": timedelta(days=1100)}
PAGE_OF_GROUPS = {"hour": timedelta(days=1), "day": timedelta(days=14)}
"""Grouped by model or key an hour or a day may have hundreds of sums: so long is then a page of them."""
BOUNDS = (MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC)), MaxValueValidator(datetime(2100, 1, 1, tzinfo=UTC)))
"""At either end of the calendar a time zone leads beyond it."""
DEFAULT = {"hour": timedelta(days=1), "day": timedelta(days=30)}


RECORD: dict[str, Any] = {
    "request_id": "req_5f60718293a4b5c6d7e8f90a",
    "created_at": "2026-11-22T16:00:00.123456+08:00",
    "member": "san.zhang",
    "key": 7,
    "key_name": "laptop",
    "endpoint": "chat/completions",
    "model": "qwen-3-max",
    "stream": True,
    "status": "failed",
    "http_status": 503,
    "error_code": "school_unreachable",
    "login_ms": 0,
    "queued_ms": 12,
    "spacing_ms": 640,
    "session_ms": None,
    "first_token_ms": None,
    "total_ms": 5012,
    "prompt_tokens": None,
    "completion_tokens": None,
    "token_source": "",
    "repairs": 0,
    "user_agent": "OpenAI/Python 3.54.0",
    "retry_count": 0,
}
WAY: dict[str, Any] = {
    "timeline": [{"name": "key", "label": "Key accepted", "start_ms": 0, "took_ms": None}],
    "explanation": {
        "cause": "The school could not be reached. Nothing was sent.",
        "who_must_act": "school",
        "retry": "safe",
        "retry_advice": "A retry is safe: the school had not taken the prompt.",
    },
}
SUM: dict[str, Any] = {
    "start": "2026-11-22T00:00:00+08:00",
    "model": "qwen-3-max",
    "key": None,
    "requests": 42,
    "done": 40,
    "failed": 1,
    "cancelled": 1,
    "lost": 0,
    "prompt_tokens": 51_200,
    "completion_tokens": 9_300,
    "counted": 40,
    "estimated_share": 0.25,
    "first_token_ms": 1480,
}


@extend_schema_serializer(examples=[OpenApiExample("A request that failed", RECORD)])
class RecordSerializer(serializers.ModelSerializer[UsageRecord]):
    """One request to the API. Times in milliseconds; null is unknown, never zero."""

    member = serializers.CharField(source="member.username", default=None, allow_null=True)
    key = serializers.IntegerField(
        source="api_key_id", allow_null=True, help_text="Id of the key; null: none any more."
    )
    key_name = serializers.CharField(source="api_key.name", default=None, allow_null=True)
    token_source = serializers.CharField(
        help_text="`school`: counted there; `estimate`: by the gateway; empty: unknown."
    )

    class Meta:
        model = UsageRecord
        fields = (
            *("request_id", "created_at", "member", "key", "key_name", "endpoint", "model", "stream", "status"),
            *("http_status", "error_code", "login_ms", "queued_ms", "spacing_ms", "session_ms", "first_token_ms"),
            *("total_ms", "prompt_tokens", "completion_tokens", "token_source", "repairs", "user_agent"),
            "retry_count",
        )
        read_only_fields = fields


class StageSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="`key`, `login`, `queue`, `interval`, `session`, `first-token`, `end`.")
    label = serializers.CharField()  # type: ignore[assignment]  # also an attribute of fields
    start_ms = serializers.IntegerField(allow_null=True, help_text="From the arrival of the request.")
    took_ms = serializers.IntegerField(allow_null=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    cause = serializers.CharField()
    who_must_act = serializers.ChoiceField(Who.choices, source="who")
    retry = serializers.ChoiceField(Retry.choices, help_text="What sending the same request once more does.")
    retry_advice = serializers.CharField(source="retry.label")


@extend_schema_serializer(examples=[OpenApiExample("A request that failed", {**RECORD, **WAY})])
class RecordWithWaySerializer(RecordSerializer):
    """A request with its timeline, and why it got no whole answer where it got none."""

    timeline = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField()

    class Meta(RecordSerializer.Meta):
        fields = (*RecordSerializer.Meta.fields, "timeline", "explanation")  # type: ignore[assignment]  # two more
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(StageSerializer(many=True))
    def get_timeline(self, record: UsageRecord) -> Any:
        return StageSerializer(timeline(record), many=True).data

    @extend_schema_field(ExplanationSerializer(allow_null=True))
    def get_explanation(self, record: UsageRecord) -> Any:
        explanation = explain(record)
        return None if explanation is None else ExplanationSerializer(explanation).data


class Between(serializers.Serializer[None]):
    key = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1, help_text="Id of a key.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python, so it cannot be declared as the others are."""
        bounds: dict[str, serializers.Field[Any, Any, Any, Any]] = {
            "from": serializers.DateTimeField(
                required=False, validators=BOUNDS, help_text="From this time on (ISO 8601)."
            ),
            "to": serializers.DateTimeField(
                required=False, validators=BOUNDS, help_text="Before this time (ISO 8601)."
            ),
        }
        return {**super().get_fields(), **bounds}


class RecordFilter(Between):
    model = serializers.CharField(required=False, max_length=120)
    status = serializers.ChoiceField(UsageStatus.choices, required=False)
    request_id = serializers.CharField(required=False, max_length=40)


class RollupQuery(Between):
    by = serializers.ChoiceField(("hour", "day"), default="day", help_text="By the clock of the gateway.")
    group = serializers.ChoiceField(
        ("model", "key"), default="", required=False, help_text="Sums of each model or key; else of all together."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end: datetime = attrs.setdefault("to", timezone.now())
        start: datetime = attrs.setdefault("from", end - DEFAULT[attrs["by"]])
        if start >= end:
            raise serializers.ValidationError({"from": _("It must be before “to”.")})
        if end - start > LONGEST[attrs["by"]]:
            longest = _("At most %(days)d days at once.") % {"days": LONGEST[attrs["by"]].days}
            raise serializers.ValidationError({"from": longest})
        return attrs


class SumSerializer(serializers.Serializer[Any]):
    """Requests that have ended. Tokens and times are null where none is known; they are never zero then."""

    start = serializers.DateTimeField()
    model = serializers.SerializerMethodField(help_text="Where it is grouped by model.")
    key = serializers.SerializerMethodField(help_text="Where it is grouped by key: its id.")
    requests = serializers.IntegerField(source="tally.requests", help_text="Lists of models are not counted.")
    done = serializers.IntegerField(source="tally.done")
    failed = serializers.IntegerField(source="tally.failed")
    cancelled = serializers.IntegerField(source="tally.cancelled")
    lost = serializers.IntegerField(source="tally.lost")
    prompt_tokens = serializers.IntegerField(source="tally.prompt_tokens", allow_null=True)
    completion_tokens = serializers.IntegerField(source="tally.completion_tokens", allow_null=True)
    counted = serializers.IntegerField(source="tally.counted", help_text="Requests with known tokens.")
    estimated_share = serializers.FloatField(
        source="tally.estimated_share", allow_null=True, help_text="Which part of the tokens is estimated, 0 to 1."
    )
    first_token_ms = serializers.IntegerField(source="tally.first_token_ms", allow_null=True, help_text="Average.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_model(self, sum: Sum) -> str | None:
        return sum.group if self.context["group"] == "model" else None

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_key(self, sum: Sum) -> int | None:
        return sum.group if self.context["group"] == "key" else None


@extend_schema_serializer(examples=[OpenApiExample("One day of one model", {"next": None, "results": [SUM]})])
class RollupsSerializer(serializers.Serializer[None]):
    next = serializers.URLField(allow_null=True, help_text="The address of the following page; null on the last.")
    results = SumSerializer(many=True)


class UsageView(View):
    permissions: ClassVar = {"GET": "gateway.view_usagerecord"}


@extend_schema(tags=["usage"], parameters=[MEMBER_PARAMETER])
class Records(UsageView, generics.ListAPIView[UsageRecord]):
    serializer_class = RecordSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[UsageRecord]:
        wanted = RecordFilter(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        return _filters(wanted.validated_data).applied(records_of(member_asked_for(self.request, self.permission)))

    @extend_schema(operation_id="list_usage", summary="List requests", parameters=[RecordFilter])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The newest first. Prompts and answers are stored nowhere."""
        return super().get(request, *args, **kwargs)


@extend_schema(tags=["usage"], parameters=[MEMBER_PARAMETER])
class OneRecord(UsageView):
    @extend_schema(operation_id="get_usage", summary="Read a request", responses=RecordWithWaySerializer)
    def get(self, request: Request, request_id: str) -> Response:
        """One request with its timeline; where it failed, the cause, who must act, and whether a retry is safe."""
        record = get_object_or_404(records_of(member_asked_for(request, self.permission)), request_id=request_id)
        return Response(RecordWithWaySerializer(record).data)


@extend_schema(tags=["usage"], parameters=[MEMBER_PARAMETER])
class Rollups(UsageView):
    @extend_schema(
        operation_id="sum_usage", summary="Sum requests", parameters=[RollupQuery], responses=RollupsSerializer
    )
    def get(self, request: Request) -> Response:
        """Sums by hour (at most 31 days at once) or day, up to this moment. Those without requests are left out.

        Grouped, a page is a day by hour or 14 days by day; `next` is the address of the following one.

        Hours and days are whole ones of the gateway's time zone: the first is that of `from`, the last that of `to`.
        """
        query = RollupQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        member = member_asked_for(request, self.permission)
        owner = Q() if member is None else Q(member=member)
        if "key" in wanted:
            owner &= Q(api_key_id=wanted["key"])
        end = _page_end(wanted)
        rows = sums(by=wanted["by"], start=wanted["from"], end=end, group=wanted["group"], owner=owner)
        following = _rollups_from(request, end, wanted["to"]) if end < wanted["to"] else None
        results = SumSerializer(rows, many=True, context={"group": wanted["group"]}).data
        return Response({"next": following, "results": results})


def _page_end(wanted: dict[str, Any]) -> datetime:
    """Where this page of sums ends: at the beginning of an hour or day, unless it is the last."""
    if not wanted["group"]:
        return cast(datetime, wanted["to"])
    begin = rollups.hour_start if wanted["by"] == "hour" else rollups.day_start
    return min(cast(datetime, wanted["to"]), begin(wanted["from"] + PAGE_OF_GROUPS[wanted["by"]]))


def _rollups_from(request: Request, start: datetime, end: datetime) -> str:
    query = request.query_params.copy()
    query["from"], query["to"] = start.isoformat(), end.isoformat()
    return f"{request.build_absolute_uri(request.path)}?{query.urlencode()}"


def _filters(wanted: dict[str, Any]) -> Filters:
    return Filters(
        key=wanted.get("key"),
        model=wanted.get("model", ""),
        status=wanted.get("status", ""),
        since=wanted.get("from"),
        until=wanted.get("to"),
        request_id=wanted.get("request_id", ""),
    )
