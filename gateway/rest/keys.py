"""`/api/keys/`: the member's keys. The text of a key is in the one answer that creates it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelInvalid
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from accounts.keys import key_change, key_issue, key_revoke, key_rotate, networks
from accounts.models import ApiKey
from gateway.rest import rights
from gateway.rest.authentication import key_of
from gateway.rest.pagination import NewestFirst
from gateway.rest.scope import MEMBER_PARAMETER, keys_of, member_asked_for, one_member, refuse_out_of_reach
from gateway.rest.views import View, note

VIEW, ADD, CHANGE = (f"accounts.{verb}_apikey" for verb in ("view", "add", "change"))
MOST_GRACE = timedelta(days=30)
MOST_NAMES = 100

ISSUED = gettext_noop("Issued.")
CHANGED = gettext_noop("Changed.")
ROTATED = gettext_noop("Rotated.")
REVOKED = gettext_noop("Revoked.")

KEY_EXAMPLE = "xg-0a1b2c3d4e-5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6"


KEY: dict[str, Any] = {
    "id": 7,
    "name": "laptop",
    "member": "san.zhang",
    "prefix": "xg-0a1b2c3d4e-…",
    "state": "live",
    "created_at": "2026-11-22T16:00:00+08:00",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-11-22T17:30:12+08:00",
    "last_used_from": "192.0.2.7",
    "allowed_models": [],
    "allowed_networks": ["192.0.2.0/24"],
    "requests_per_minute": None,
    "requests_per_day": 1000,
    "web_search": False,
    "fold_reasoning": False,
    "may_manage": False,
    "replaces": None,
}


@extend_schema_serializer(examples=[OpenApiExample("A key", KEY)])
class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its text, of which the gateway keeps only a hash."""

    member = serializers.CharField(source="member.username", help_text="The username of its owner.")
    prefix = serializers.SerializerMethodField(help_text="How the key begins.")
    state = serializers.SerializerMethodField()
    allowed_models = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    allowed_networks = serializers.ListField(child=serializers.CharField(), help_text="Empty: from everywhere.")

    class Meta:
        model = ApiKey
        fields = (
            *("id", "name", "member", "prefix", "state", "created_at", "expires_at", "revoked_at"),
            *("last_used_at", "last_used_from", "allowed_models", "allowed_networks", "requests_per_minute"),
            *("requests_per_day", "web_search", "fold_reasoning", "may_manage", "replaces"),
        )
        read_only_fields = fields

    @extend_schema_field(serializers.CharField)
    def get_prefix(self, key: ApiKey) -> str:
        return f"xg-{key.prefix}-…"

    @extend_schema_field(serializers.ChoiceField(["live", "expired", "revoked"]))
    def get_state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "revoked"
        return "live" if key.is_live else "expired"


@extend_schema_serializer(examples=[OpenApiExample("A new key", {"key": KEY_EXAMPLE, **KEY})])
class NewKeySerializer(KeySerializer):
    """A key with its text. This answer alone has it: keep it now."""

    key = serializers.SerializerMethodField(help_text=f"The text of the key, such as `{KEY_EXAMPLE}`.")

    class Meta(KeySerializer.Meta):
        fields = ("key", *KeySerializer.Meta.fields)  # type: ignore[assignment]  # one field more
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(serializers.CharField)
    def get_key(self, key: ApiKey) -> str:
        return str(self.context["text"])


@extend_schema_serializer(
    examples=[OpenApiExample("A key for a laptop", {"name": "laptop", "requests_per_day": 1000}, request_only=True)]
)
class KeyFields(serializers.ModelSerializer[ApiKey]):
    """What can be set of a key. Empty lists and null bound nothing."""

    name = serializers.CharField(max_length=100, required=False, help_text="Where it is used, such as “laptop”.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Null: never.")
    allowed_models = serializers.ListField(
        child=serializers.CharField(max_length=120),
        required=False,
        max_length=MOST_NAMES,
        help_text="Ids of models, as `GET /v1/models` lists them.",
    )
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        max_length=MOST_NAMES,
        help_text="Addresses or networks, such as `192.0.2.7` or `10.0.0.0/8`.",
    )
    requests_per_minute = serializers.IntegerField(min_value=1, max_value=100_000, required=False, allow_null=True)
    requests_per_day = serializers.IntegerField(min_value=1, max_value=10_000_000, required=False, allow_null=True)

    class Meta:
        model = ApiKey
        fields = (
            *("name", "expires_at", "allowed_models", "allowed_networks", "requests_per_minute"),
            *("requests_per_day", "web_search", "fold_reasoning", "may_manage"),
        )

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(_("This time has passed already."))
        return value

    def validate_allowed_networks(self, value: list[str]) -> list[str]:
        try:
            return networks(value)
        except ModelInvalid as error:
            raise serializers.ValidationError(error.messages) from None


@extend_schema_serializer(examples=[OpenApiExample("A day for both", {"grace_seconds": 86_400}, request_only=True)])
class Rotation(serializers.Serializer[None]):
    grace_seconds = serializers.IntegerField(
        min_value=0,
        max_value=int(MOST_GRACE.total_seconds()),
        default=0,
        help_text="How long the old key works beside the new one. 0: it ends at once.",
    )


class KeyView(View):
    """Keys that the request sees."""

    permissions: ClassVar = {"GET": VIEW, "PATCH": CHANGE, "DELETE": CHANGE}

    def get_queryset(self) -> QuerySet[ApiKey]:
        return keys_of(member_asked_for(self.request, self.permission))

    def key(self) -> ApiKey:
        return get_object_or_404(self.get_queryset(), pk=self.kwargs["id"])

    def key_to_touch(self) -> ApiKey:
        key = self.key()
        refuse_out_of_reach(self.request, key.member)
        return key


@extend_schema(tags=["keys"])
class Keys(KeyView, generics.ListAPIView[ApiKey]):
    serializer_class = KeySerializer
    pagination_class = NewestFirst
    permissions: ClassVar = {"GET": VIEW, "POST": ADD}

    @extend_schema(operation_id="list_keys", summary="List keys", parameters=[MEMBER_PARAMETER])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Keys, the newest first; also those that were revoked or have expired."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="create_key",
        summary="Create a key",
        parameters=[MEMBER_PARAMETER],
        request=KeyFields,
        responses={201: NewKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """The answer has the text of the key, once.

        A request that comes with a key makes a key that may do no more than this one, and that does not open the
        management API.
        """
        settings = _checked(KeyFields(data=request.data))
        if opener := key_of(request):
            settings = rights.bounds_for_new(opener, settings)
        member = one_member(request, self.permission)
        refuse_out_of_reach(request, member)
        key, text = key_issue(member=member, **settings)
        note(request, ISSUED, key)
        return _with_text(key, text)


@extend_schema(tags=["keys"], parameters=[MEMBER_PARAMETER])
class OneKey(KeyView):
    @extend_schema(operation_id="get_key", summary="Read a key", responses=KeySerializer)
    def get(self, request: Request, id: int) -> Response:
        """One key, without its text."""
        return Response(KeySerializer(self.key()).data)

    @extend_schema(operation_id="change_key", summary="Change a key", request=KeyFields, responses=KeySerializer)
    def patch(self, request: Request, id: int) -> Response:
        """Only what is named changes; the next request with the key finds it."""
        key = self.key_to_touch()
        changes = _checked(KeyFields(data=request.data, partial=True))
        if opener := key_of(request):
            rights.check_changes(opener, changes, of=key)
        if changes:
            told = audit.changes_of(key, changes)
            key_change(key=key, **changes)
            note(request, CHANGED, key, told)
        return Response(KeySerializer(key).data)

    @extend_schema(operation_id="revoke_key", summary="Revoke a key", responses={204: None})
    def delete(self, request: Request, id: int) -> Response:
        """The next request with it is refused. The key stays in the list, as revoked."""
        key = self.key_to_touch()
        if key_revoke(key=key):
            note(request, REVOKED, key)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["keys"], parameters=[MEMBER_PARAMETER])
class RotateKey(KeyView):
    permissions: ClassVar = {"POST": CHANGE}

    @extend_schema(
        operation_id="rotate_key", summary="Rotate a key", request=Rotation, responses={201: NewKeySerializer}
    )
    def post(self, request: Request, id: int) -> Response:
        """A new key in place of this one, with its name and settings; both work until the grace is over.

        A key can rotate itself; its end stays what it was, unless a signed-in person rotates it.
        """
        key, opener = self.key_to_touch(), key_of(request)
        grace = timedelta(seconds=_checked(Rotation(data=request.data))["grace_seconds"])
        if opener:
            rights.check_rotation(opener, key)
        with transaction.atomic():
            new, text = key_rotate(key=key, grace=grace)
            if opener and key.expires_at is not None:
                key_change(key=new, expires_at=key.expires_at)
            note(request, ROTATED, key)
        return _with_text(new, text)


def _checked(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _with_text(key: ApiKey, text: str) -> Response:
    return Response(NewKeySerializer(key, context={"text": text}).data, status=status.HTTP_201_CREATED)
