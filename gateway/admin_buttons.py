"""A model's admin actions as buttons on the page of one row."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from gateway.admin_base import ModelAdmin, Row
from gateway.admin_once import ActionForm


class ButtonsAdmin(ModelAdmin[Row]):
    """Actions that may be pressed beside the row's form; each is a POST of its own."""

    action_form = ActionForm
    change_form_template = "admin/change_form_with_buttons.html"

    def buttons(self, row: Row) -> tuple[str, ...]:
        """The names of the actions that make sense for this row now."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act)
        return [path("<path:object_id>/act/<slug:name>/", view, name=self._url_name()), *super().get_urls()]

    def act(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Do one action to one row, then show what it answers or the row's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        actions: dict[str, Any] = self.get_actions(request)
        if name not in actions:
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        answer: HttpResponse | None = actions[name][0](self, request, self.get_queryset(request).filter(pk=row.pk))
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return answer or redirect(page, quote(row.pk))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            context["buttons"] = self._buttons(request, row)
            context["action_form"] = ActionForm(auto_id=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, row: Row) -> list[dict[str, str]]:
        allowed: dict[str, Any] = self.get_actions(request)
        return [
            {"label": allowed[name][2], "url": reverse(f"admin:{self._url_name()}", args=[quote(row.pk), name])}
            for name in self.buttons(row)
            if name in allowed
        ]

    def _url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_act"
