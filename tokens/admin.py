"""Admin pages of the logins: what was tried, how it went, step by step. Tokens themselves have no page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from accounts.admin.links import row_link
from gateway.admin.base import ReadOnlyAdmin
from gateway.admin.filters import TimeFilter
from gateway.formats import UNKNOWN, badge, duration, moment, with_notes
from tokens.models import LoginAttempt, Outcome
from tokens.pictures import screenshot_path
from tokens.states import OUTCOME_TONES
from tokens.wording import in_words, message_in_words


def outcome_badge(outcome: str) -> SafeString:
    """How an ended login went."""
    value = Outcome(outcome)
    return badge(value.label, OUTCOME_TONES[value])


@admin.register(LoginAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin[LoginAttempt]):
    list_display = ("asked_at", "whose", "trigger", "result", "took")
    list_filter = (
        ("outcome", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        ("created_at", TimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("account",)
    search_fields = ("account__username", "account__member__username")
    search_help_text = gettext_lazy("An XJTLU username, or a member's name")
    change_form_template = "admin/tokens/loginattempt/change_form.html"
    fields = (
        *("whose_link", "trigger", "result", "asked_at", "began_at", "finished_at", "took"),
        *("password_submitted", "steps_table", "picture"),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.screenshot)
        return [path("<path:object_id>/screenshot/", view, name="tokens_loginattempt_screenshot"), *super().get_urls()]

    def screenshot(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The picture of the page on which the login failed, as PNG."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        attempt = self.get_object(request, unquote(object_id))
        if attempt is None or not has_picture(attempt):
            raise Http404
        picture = screenshot_path(attempt).read_bytes()
        return HttpResponse(picture, content_type="image/png", headers={"Cache-Control": "no-store"})

    @admin.display(description=gettext_lazy("account"), ordering="account__username")
    def whose(self, attempt: LoginAttempt) -> str:
        return attempt.account.username

    @admin.display(description=gettext_lazy("account"))
    def whose_link(self, attempt: LoginAttempt) -> SafeString:
        return row_link(attempt.account)

    @admin.display(description=gettext_lazy("asked"), ordering="created_at")
    def asked_at(self, attempt: LoginAttempt) -> str:
        return moment(attempt.created_at)

    @admin.display(description=gettext_lazy("started"))
    def began_at(self, attempt: LoginAttempt) -> str:
        return moment(attempt.started_at)

    @admin.display(description=gettext_lazy("ended"))
    def finished_at(self, attempt: LoginAttempt) -> str:
        return moment(attempt.ended_at)

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def result(self, attempt: LoginAttempt) -> SafeString:
        if attempt.outcome:
            return with_notes(outcome_badge(attempt.outcome), message_in_words(attempt.message))
        return badge(_("running") if attempt.started_at else _("waiting"), "busy")

    @admin.display(description=gettext_lazy("duration"))
    def took(self, attempt: LoginAttempt) -> str:
        ended, started = attempt.ended_at, attempt.started_at
        return duration(ended - started if ended and started else None)

    @admin.display(description=gettext_lazy("steps"))
    def steps_table(self, attempt: LoginAttempt) -> str:
        if not attempt.steps:
            return UNKNOWN
        head = format_html("<tr><th>{}</th><th>{}</th><th>{}</th></tr>", _("at"), _("step"), _("detail"))
        rows = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", map(_cells, attempt.steps))
        return format_html('<div class="steps-box"><table class="steps">{}{}</table></div>', head, rows)

    @admin.display(description=gettext_lazy("picture of the page"))
    def picture(self, attempt: LoginAttempt) -> str:
        if not has_picture(attempt):
            return UNKNOWN
        page = reverse("admin:tokens_loginattempt_screenshot", args=[quote(attempt.pk)])
        words = _("The page on which the login ended")
        return format_html('<a href="{0}"><img class="picture" src="{0}" alt="{1}"></a>', page, words)


def has_picture(attempt: LoginAttempt) -> bool:
    """Whether the page on which it ended can be shown."""
    return attempt.has_screenshot and screenshot_path(attempt).is_file()


def _cells(step: dict[str, Any]) -> tuple[str, str, str]:
    return _("%(seconds).1f s") % {"seconds": step["at"]}, in_words(step["step"]), message_in_words(step["detail"])
