"""`/api/me/`: who asks, and how their XJTLU account is."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account, Member
from gateway.rest.accounts import AccountSerializer, stated
from gateway.rest.scope import asker
from gateway.rest.views import View, note
from gateway.standing import standing

CHANGED = gettext_noop("Changed own profile.")


class OwnAccountSerializer(AccountSerializer):
    """The member's own account: also how it stands in words, and what to do."""

    standing = serializers.SerializerMethodField()
    what_to_do = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField)
    def get_standing(self, account: Any) -> str:
        return str(standing(account).title)

    @extend_schema_field(serializers.CharField)
    def get_what_to_do(self, account: Any) -> str:
        return str(standing(account).advice)


class MeSerializer(serializers.ModelSerializer[Member]):
    """A member and their account, null where none was added yet."""

    display_name = serializers.CharField(source="first_name")
    time_zone = serializers.CharField(help_text="A name such as `Asia/Shanghai`; empty: what the browser says.")
    account = serializers.SerializerMethodField()

    class Meta:
        model = Member
        fields = ("username", "display_name", "email", "time_zone", "is_staff", "account")
        read_only_fields = fields

    @extend_schema_field(OwnAccountSerializer(allow_null=True))
    def get_account(self, member: Member) -> Any:
        account = stated(Account.objects.filter(member=member)).first()
        return None if account is None else OwnAccountSerializer(account).data


@extend_schema_serializer(examples=[OpenApiExample("A time zone", {"time_zone": "Asia/Shanghai"}, request_only=True)])
class MeFields(serializers.ModelSerializer[Member]):
    """What members set for themselves here. Passwords can be reset by mail, so the address is changed elsewhere."""

    display_name = serializers.CharField(source="first_name", required=False, allow_blank=True, max_length=150)
    time_zone = serializers.CharField(required=False, allow_blank=True, max_length=60)

    class Meta:
        model = Member
        fields = ("display_name", "time_zone")

    def validate_time_zone(self, value: str) -> str:
        if value and value not in available_timezones():
            raise serializers.ValidationError(_("This time zone is not known. Name one such as Asia/Shanghai."))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "email" in self.initial_data:
            message = _("Change the e-mail address on the page “Settings”, which asks for your password.")
            raise serializers.ValidationError({"email": message})
        return attrs

    def update(self, member: Member, changes: dict[str, Any]) -> Member:
        """Only these columns: a password that was changed meanwhile stays changed."""
        for name, value in changes.items():
            setattr(member, name, value)
        member.save(update_fields=list(changes))
        return member


@extend_schema(tags=["me"])
class Me(View):
    @extend_schema(operation_id="get_me", summary="Read yourself", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """The member who asks, and the state of their XJTLU account: until when, and what to do."""
        return Response(MeSerializer(asker(request)).data)

    @extend_schema(operation_id="change_me", summary="Change yourself", request=MeFields, responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        """Only what is named changes. The e-mail address is changed on the page “Settings”, with the password."""
        member = asker(request)
        fields = MeFields(member, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        fields.save()
        note(request, CHANGED, member)
        return Response(MeSerializer(member).data)
