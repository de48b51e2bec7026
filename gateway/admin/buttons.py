"""A model's admin actions as buttons on the page of one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise

from gateway.admin.base import ModelAdmin, Row
from gateway.once import OnceField

if TYPE_CHECKING:
    from django.contrib.admin.helpers import ActionForm as ThemedActionForm
else:
    from unfold.forms import ActionForm as ThemedActionForm


class ActionForm(ThemedActionForm):
    """The theme's, with the number by which a form that is sent again is known."""

    once = OnceField()


@dataclass(frozen=True)
class Button:
    """An action by its name. `confirm` is asked before it acts."""

    action: str
    icon: str
    primary: bool = False
    confirm: str | Promise = ""


class ButtonsAdmin(ModelAdmin[Row]):
    """Actions that may be pressed beside the row's form; each is a POST of its own."""

    action_form = ActionForm
    change_form_template = "admin/change_form_with_buttons.html"

    def buttons(self, row: Row) -> tuple[Button, ...]:
        """The actions that make sense for this row now."""
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

    def is_one_row(self, request: HttpRequest) -> bool:
        """Whether an action was pressed on its row's own page, which asks by itself where that is needed."""
        return request.resolver_match is not None and request.resolver_match.url_name == self._url_name()

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            context["buttons"] = self._buttons(request, row)
            context["action_form"] = ActionForm(auto_id=False)
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, row: Row) -> list[dict[str, Any]]:
        allowed: dict[str, Any] = self.get_actions(request)
        return [
            {"button": button, "label": allowed[button.action][2], "url": self._act_url(row, button.action)}
            for button in self.buttons(row)
            if button.action in allowed and not self._why_refused(request, allowed[button.action][0], row)
        ]

    def _act_url(self, row: Row, action: str) -> str:
        return reverse(f"admin:{self._url_name()}", args=[quote(row.pk), action])

    def _url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_act"
