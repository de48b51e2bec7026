"""`/api/accounts/`: every member's XJTLU account and what staff do with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_noop
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from accounts.services import account_pause, account_resume
from gateway.models import UpstreamSession
from gateway.rest.pagination import NewestFirst
from gateway.rest.scope import refuse_out_of_reach
from gateway.rest.views import IsStaff, View, note
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Outcome, Trigger
from tokens.states import State, needs_person, next_refresh, with_state
from tokens.wording import message_in_words

if TYPE_CHECKING:
    from tokens.states import StatedAccount

ASKED_FOR_LOGIN = gettext_noop("Asked for a login.")
PAUSED = gettext_noop("Paused.")
RESUMED = gettext_noop("Resumed.")


class AccountSerializer(serializers.Serializer[Any]):
    """An account with its state. Neither password nor token are ever shown."""

    id = serializers.UUIDField()
    member = serializers.CharField(source="member.username")
    xjtlu_username = serializers.CharField(source="username")
    created_at = serializers.DateTimeField()
    state = serializers.ChoiceField(State.choices)
    token_until = serializers.DateTimeField(
        source="token.expires_at", default=None, allow_null=True, help_text="Null: no token, or its end is not known."
    )
    next_refresh = serializers.SerializerMethodField(help_text="Null: it is not renewed by itself.")
    needs_person = serializers.SerializerMethodField(
        help_text="Whether it stays as it is, or soon stops working, until somebody acts."
    )
    reason = serializers.SerializerMethodField(help_text="Why a person must act, or why the last login failed.")
    last_login_at = serializers.DateTimeField(source="last_ended_at", allow_null=True)
    last_login_outcome = serializers.ChoiceField(Outcome.choices, source="last_outcome", allow_null=True)
    sessions = serializers.IntegerField(help_text="Sessions at the school that the gateway has, of at most 50.")

    @extend_schema_field(serializers.BooleanField)
    def get_needs_person(self, account: StatedAccount) -> bool:
        return needs_person(State(account.state), account.login_block, can_log_in=account.can_log_in)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_refresh(self, account: StatedAccount) -> datetime | None:
        return next_refresh(account)

    @extend_schema_field(serializers.CharField)
    def get_reason(self, account: StatedAccount) -> str:
        failed = account.last_message if State(account.state) is State.FAILING else ""
        return message_in_words(account.login_block_reason or failed or "")


class AttemptSerializer(serializers.ModelSerializer[LoginAttempt]):
    class Meta:
        model = LoginAttempt
        fields = ("id", "created_at", "started_at")
        read_only_fields = fields


def stated(accounts: QuerySet[Account]) -> QuerySet[Any]:
    """The accounts as `AccountSerializer` shows them, in one query."""
    own = UpstreamSession.objects.filter(account=OuterRef("pk"), school_id__isnull=False).order_by().values("account")
    number = Subquery(own.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
    return with_state(accounts).annotate(sessions=Coalesce(number, 0))


class StaffView(View):
    permission_classes = (IsStaff,)
    permissions: ClassVar = {"GET": "accounts.view_account", "POST": "accounts.change_account"}

    def account(self, id: UUID) -> Any:
        return get_object_or_404(stated(Account.objects.all()), pk=id)

    def account_to_touch(self, id: UUID) -> Any:
        account = self.account(id)
        refuse_out_of_reach(self.request, account.member)
        return account


@extend_schema(tags=["accounts"])
class Accounts(StaffView, generics.ListAPIView[Account]):
    serializer_class = AccountSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Any]:
        return stated(Account.objects.all())

    @extend_schema(operation_id="list_accounts", summary="List accounts")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Staff only. All XJTLU accounts, the newest first."""
        return super().get(request, *args, **kwargs)


@extend_schema(tags=["accounts"])
class OneAccount(StaffView):
    @extend_schema(operation_id="get_account", summary="Read an account", responses=AccountSerializer)
    def get(self, request: Request, id: UUID) -> Response:
        """Staff only."""
        return Response(AccountSerializer(self.account(id)).data)


@extend_schema(tags=["accounts"], request=None)
class LogIn(StaffView):
    @extend_schema(operation_id="log_account_in", summary="Log an account in", responses={202: AttemptSerializer})
    def post(self, request: Request, id: UUID) -> Response:
        """Staff only. Asks a worker for a login, or names the one that is under way.

        It forgets earlier failures: a password that the school refused is typed once more. So an account can be logged
        in 6 times an hour, here and by its member together.
        """
        account = self.account_to_touch(id)
        attempt = login_ask(account=account, trigger=Trigger.PERSON, limited=True)
        note(request, ASKED_FOR_LOGIN, account)
        return Response(AttemptSerializer(attempt).data, status=status.HTTP_202_ACCEPTED)


@extend_schema(tags=["accounts"], request=None, responses=AccountSerializer)
class Pause(StaffView):
    @extend_schema(operation_id="pause_account", summary="Pause an account")
    def post(self, request: Request, id: UUID) -> Response:
        """Staff only. No request, login or keep-alive until it is resumed."""
        if account_pause(account=(account := self.account_to_touch(id))):
            note(request, PAUSED, account)
        return Response(AccountSerializer(self.account(id)).data)


@extend_schema(tags=["accounts"], request=None, responses=AccountSerializer)
class Resume(StaffView):
    @extend_schema(operation_id="resume_account", summary="Resume an account")
    def post(self, request: Request, id: UUID) -> Response:
        """Staff only. It is used again from now on."""
        if account_resume(account=(account := self.account_to_touch(id))):
            note(request, RESUMED, account)
        return Response(AccountSerializer(self.account(id)).data)
