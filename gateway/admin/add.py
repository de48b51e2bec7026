"""Adding a row by a form and a service of its own, inside the admin's ordinary add page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminErrorList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.forms import AdminForm

from gateway.admin.base import ModelAdmin, Row
from gateway.once import SENT_BEFORE, is_first


class AddsByForm(ModelAdmin[Row]):
    """The answer to a good form is a page of its own, for what can be seen only once."""

    add_form_class: type[forms.Form]
    add_title: Any
    add_form_fieldsets: tuple[tuple[Any, dict[str, Any]], ...]

    def added(self, request: HttpRequest, form: Any) -> HttpResponse:
        """Do what the valid form asks, in a transaction, and answer."""
        raise NotImplementedError

    @method_decorator(sensitive_post_parameters())
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.add_form_class(request.POST if request.method == "POST" else None, initial=request.GET.dict())
        if form.is_valid() and self._is_first(request, form):
            with transaction.atomic():
                return self.added(request, form)
        return self._add_page(request, form, form_url)

    def _is_first(self, request: HttpRequest, form: forms.Form) -> bool:
        first = is_first(request, form.cleaned_data.get("once"))
        if not first:
            form.add_error(None, str(SENT_BEFORE))
        return first

    def _add_page(self, request: HttpRequest, form: Any, form_url: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": self.add_title,
            "adminform": AdminForm(form, list(self.add_form_fieldsets), {}, model_admin=self),
            "errors": AdminErrorList(form, []),
            "media": self.media + form.media,
            "inline_admin_formsets": [],
            "is_popup": False,
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return self.render_change_form(request, context, add=True, form_url=form_url)
