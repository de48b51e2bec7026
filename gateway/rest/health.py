"""`/api/health/`: how the parts of the installation are, for staff and their monitoring."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import __version__
from gateway.health import components as health
from gateway.rest.views import IsStaff, View

STATES = get_args(health.State)


class ComponentSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(
        help_text=("`web`, `logins`, `live`, `calls`, `beat`, `chrome`, `broker`, `database`, `channels`, `school`.")
    )
    state = serializers.ChoiceField(STATES, help_text="`good`, `warn` (look at it), `bad`, `quiet` (unknown).")
    label = serializers.CharField()  # type: ignore[assignment]  # also an attribute of fields
    detail = serializers.CharField()
    version = serializers.CharField()


class HealthSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()
    state = serializers.ChoiceField(("good", "warn", "bad"), help_text="The worst of the parts.")
    components = ComponentSerializer(many=True)


@extend_schema(tags=["health"])
class Health(View):
    permission_classes = (IsStaff,)
    permissions: ClassVar = {"GET": "gateway.view_heartbeat"}

    @extend_schema(operation_id="get_health", summary="Read the health", responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        """Staff only. `GET /healthz` tells anybody whether the web process answers."""
        components = health.health()
        states = {component.state for component in components}
        worst = next((state for state in ("bad", "warn") if state in states), "good")
        body = {"version": __version__, "state": worst, "components": components}
        return Response(HealthSerializer(body).data)
