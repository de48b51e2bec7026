"""Pasting a token in the admin, for an account whose sign-on asks for a person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.models import Account
from gateway.admin.base import ModelAdmin, note
from gateway.errors import InvalidRequest
from tokens.forms import TokenForm
from tokens.services import token_import, token_try
from tokens.wording import message_in_words

PASTED = gettext_noop("Pasted a token.")


class ThemedTokenForm(TokenForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["token"]
        field.widget = UnfoldAdminTextareaWidget(attrs=field.widget.attrs)


class PastesTokens(ModelAdmin[Account]):
    """A page below each account's."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.paste)
        return [path("<path:object_id>/token/", view, name="accounts_account_token"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters())
    def paste(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.get_object(request, unquote(object_id))
        if account is None:
            raise Http404
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        form = ThemedTokenForm(request.POST or None)
        if form.is_valid() and self._is_stored(request, account, form):
            return redirect("admin:accounts_account_change", quote(account.pk))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Paste a token"),
            "account": account,
            "form": form,
        }
        page = TemplateResponse(request, "admin/accounts/account/token.html", context)
        page["Cache-Control"] = "no-store"
        return page

    def _is_stored(self, request: HttpRequest, account: Account, form: TokenForm) -> bool:
        """Else the form says why not."""
        try:
            token_import(account=account, pasted=form.cleaned_data["token"])
        except InvalidRequest as error:
            form.add_error("token", message_in_words(error.message))
            return False
        note(request, PASTED, account)
        token_try(account=account)
        text = _("The token is stored. Whether the school takes it is seen within seconds.")
        self.message_user(request, text, messages.SUCCESS)
        return True
