"""Who asks: the session of a signed-in page, or a key that opens the management API."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from accounts import second_factor
from accounts.models import ApiKey, Member
from gateway import allowances
from gateway.addresses import client_address
from gateway.api import auth

CHALLENGE = 'Bearer realm="XIPU Gateway"'


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer xg-…`; the key's networks and its limits of requests hold here as well.

    A program has no second factor to give. But a key opens nothing to staff who are asked to have one and have none.
    """

    def authenticate(self, request: Request) -> tuple[Member, ApiKey] | None:
        if "authorization" not in request.headers:
            return None
        address = client_address(request._request)
        caller = auth.caller_of(auth.key_of({"authorization": request.headers["authorization"]}), address)
        auth.check_address(caller, address)
        assert caller.key_id is not None
        key = ApiKey.objects.select_related("member").get(pk=caller.key_id)
        if not key.may_manage:
            raise exceptions.PermissionDenied(
                _(
                    "This API key does not open the management API. Switch on “Management API” for it on the page "
                    "“API keys” of the dashboard."
                ),
                code="management_not_allowed",
            )
        if second_factor.is_owed(key.member):
            raise exceptions.PermissionDenied(
                _("Set up your second factor in the dashboard first: who administers here has to have one."),
                code="second_factor_required",
            )
        if caller.bounds.are_counted:
            request._request.key_standing = standing = allowances.take(key.pk, caller.bounds)  # type: ignore[attr-defined]
            auth.check_standing(standing)
        return key.member, key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class PageAuthentication(SessionAuthentication):
    """The session of a browser, with the CSRF token for changes and the second factor where one is asked for."""

    def authenticate(self, request: Request) -> tuple[Member, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        member = found[0]
        if not second_factor.is_satisfied(member, request._request.session):
            raise exceptions.PermissionDenied(
                _("Enter the code of your second factor in the dashboard first."), code="second_factor_required"
            )
        return member, None


def key_of(request: Request) -> ApiKey | None:
    """The key by which the request came; None for a page's."""
    return request.auth if isinstance(request.auth, ApiKey) else None
