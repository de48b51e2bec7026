"""Importing members from a CSV file: upload, look at what would happen, confirm.

Between the steps the file is kept in the session, sealed for the one who sent it, and only for some minutes.
"""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext
from django.views.decorators.debug import sensitive_variables
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminRadioSelectWidget

from accounts import crypto, importing
from accounts.admin.handover import Invited, IssuedKey, handover_page, invite, issue, may_invite
from accounts.importing import Line, NotReadable, Verdict
from accounts.models import Account, Member
from gateway.admin.base import ModelAdmin, note
from tokens.logins import login_ask
from tokens.models import Trigger

SESSION_KEY = "members_to_import"
KEPT_SECONDS = 15 * 60
MAX_BYTES = 512 * 1024
IMPORTED = gettext_noop("Imported from a file.")


class UploadForm(forms.Form):
    """The file, and what its members get."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy("Columns: name, xjtlu_username, xjtlu_password, email. The last two may be left out."),
    )
    give = forms.ChoiceField(
        label=gettext_lazy("New members get"),
        choices=(
            ("invitation", gettext_lazy("an invitation link, mailed if possible")),
            ("key", gettext_lazy("an API key")),
            ("nothing", gettext_lazy("nothing for now")),
        ),
        initial="invitation",
        widget=UnfoldAdminRadioSelectWidget(),
    )

    def clean_file(self) -> str:
        """The text of the file."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise ValidationError(_("The file is larger than half a megabyte."))
        try:
            text: str = file.read().decode("utf-8-sig")
            importing.preview(text)
        except UnicodeDecodeError:
            raise ValidationError(_("The file is not UTF-8. Save it as “CSV UTF-8”.")) from None
        except NotReadable as problem:
            raise ValidationError(str(problem)) from None
        return text


class ImportsMembers(ModelAdmin[Account]):
    """The pages of the import, below the accounts."""

    change_list_template = "admin/accounts/account/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        page, name = self.admin_site.admin_view, "accounts_account_import"
        return [
            path("import/", page(self.import_upload), name=name),
            path("import/check/", page(self.import_check), name=f"{name}_check"),
            path("import/sample.csv", page(self.import_sample), name=f"{name}_sample"),
            *super().get_urls(),
        ]

    @method_decorator(sensitive_variables("form"))
    def import_upload(self, request: HttpRequest) -> HttpResponse:
        self._refuse_others(request)
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            _keep(request, form.cleaned_data["file"], form.cleaned_data["give"])
            return redirect("admin:accounts_account_import_check")
        return self._page(request, "admin/accounts/account/import.html", _("Import members"), form=form)

    @method_decorator(sensitive_variables("lines"))
    def import_check(self, request: HttpRequest) -> HttpResponse:
        self._refuse_others(request)
        lines, give = _kept(request)
        if not lines:
            messages.error(request, _("The file is not kept any more. Choose it again."))
            return redirect("admin:accounts_account_import")
        if request.method == "POST":
            return self._import(request, lines, give)
        counts = {verdict.value: sum(line.verdict is verdict for line in lines) for verdict in Verdict}
        template = "admin/accounts/account/import_check.html"
        return self._page(request, template, _("Check the import"), lines=lines, give=give, counts=counts)

    def import_sample(self, request: HttpRequest) -> HttpResponse:
        self._refuse_others(request)
        headers = {"Content-Disposition": 'attachment; filename="members.csv"'}
        return HttpResponse(importing.SAMPLE, content_type="text/csv; charset=utf-8", headers=headers)

    @method_decorator(sensitive_variables("lines"))
    def _import(self, request: HttpRequest, lines: list[Line], give: str) -> HttpResponse:
        request.session.pop(SESSION_KEY, None)
        try:
            with transaction.atomic():
                accounts = importing.members_import(lines)
                issued, invited = self._give(request, accounts, give)
        except ValidationError:
            # Somebody added one of them since the look at the file.
            messages.error(request, _("Nothing was imported: the members have changed meanwhile. Import again."))
            return redirect("admin:accounts_account_import")
        lead = ngettext("%(n)d member was added.", "%(n)d members were added.", len(accounts)) % {"n": len(accounts)}
        back = reverse("admin:accounts_account_changelist")
        return handover_page(request, back=back, title=_("Members imported"), issued=issued, invited=invited, lead=lead)

    def _give(self, request: HttpRequest, accounts: list[Account], give: str) -> tuple[list[IssuedKey], list[Invited]]:
        for account in accounts:
            note(request, IMPORTED, account)
            if account.has_password:
                login_ask(account=account, trigger=Trigger.ADDED)
        members = [account.member for account in accounts]
        issued = issue(request, members) if give == "key" else []
        return issued, invite(request, members) if give == "invitation" and may_invite(request) else []

    def _refuse_others(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **more}
        page = TemplateResponse(request, template, context)
        page["Cache-Control"] = "no-store"
        return page


def _keep(request: HttpRequest, text: str, give: str) -> None:
    assert isinstance(request.user, Member)
    sealed = crypto.seal(request.user, SESSION_KEY, text)
    request.session[SESSION_KEY] = {"sealed": sealed, "give": give, "until": time.time() + KEPT_SECONDS}


@sensitive_variables("text")
def _kept(request: HttpRequest) -> tuple[list[Line], str]:
    """The lines as they would be imported now; none where nothing is kept."""
    kept = request.session.get(SESSION_KEY)
    if kept is None or kept["until"] < time.time():
        request.session.pop(SESSION_KEY, None)
        return [], ""
    # Sealed for this person's row: another's session would not open it.
    holder = Member(pk=request.user.pk)
    setattr(holder, SESSION_KEY, kept["sealed"])
    try:
        return importing.preview(crypto.unseal(holder, SESSION_KEY)), kept["give"]
    except crypto.CannotUnseal:
        return [], ""
