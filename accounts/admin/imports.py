"""Importing members from a CSV file: upload, look at what would happen, confirm.

Between the steps nothing is kept here: the page with the look holds the file, sealed for the one who sent it and for
some minutes, and the confirmation brings it back.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

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
from accounts.admin.handover import Invited, IssuedKey, handover_page, invite, issue, may_invite, may_issue
from accounts.admin.import_plan import Gift, Plan
from accounts.importing import NotReadable
from accounts.models import Account, Member
from gateway.admin.base import ModelAdmin, note
from gateway.once import SENT_BEFORE, is_first
from tokens.logins import login_ask
from tokens.models import Trigger

SEALED = "members_to_import"
VALID_SECONDS = 15 * 60
MAX_BYTES = 512 * 1024
IMPORTED = gettext_noop("Imported from a file.")


class UploadForm(forms.Form):
    """The file, and what its members get."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        help_text=gettext_lazy("Columns: name, xjtlu_username, xjtlu_password, email. The last two may be left out."),
    )
    give = forms.ChoiceField(label=gettext_lazy("New members get"), widget=UnfoldAdminRadioSelectWidget())

    def __init__(self, *args: Any, gifts: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        give = self.fields["give"]
        assert isinstance(give, forms.ChoiceField)
        give.choices, give.initial = gifts, gifts[0][0]

    def clean_file(self) -> str:
        """The text of the file."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise ValidationError(_("The file is larger than half a megabyte."))
        try:
            text = importing.decoded(file.read())
            importing.preview(text)
        except NotReadable as problem:
            raise ValidationError(str(problem)) from None
        return text


@dataclass(frozen=True)
class Upload:
    """What the page with the look brings back. `number` tells one that is sent again, `until` is in Unix seconds."""

    text: str = field(repr=False)
    give: str
    number: str
    until: float


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

    @method_decorator(sensitive_variables("form", "upload"))
    def import_upload(self, request: HttpRequest) -> HttpResponse:
        self._refuse_others(request)
        form = UploadForm(request.POST or None, request.FILES or None, gifts=_gifts(request))
        if form.is_valid():
            until = time.time() + VALID_SECONDS
            upload = Upload(form.cleaned_data["file"], form.cleaned_data["give"], str(uuid4()), until)
            return self._check_page(request, upload)
        return self._page(request, "admin/accounts/account/import.html", _("Import members"), form=form)

    @method_decorator(sensitive_variables("upload"))
    def import_check(self, request: HttpRequest) -> HttpResponse:
        """The confirmation; without one the file has to be chosen again."""
        self._refuse_others(request)
        upload = _unsealed(request)
        if upload is None:
            messages.error(request, _("The file is not kept any more. Choose it again."))
        elif not is_first(request, upload.number):
            messages.error(request, str(SENT_BEFORE))
        else:
            return self._import(request, upload)
        return redirect("admin:accounts_account_import")

    def import_sample(self, request: HttpRequest) -> HttpResponse:
        self._refuse_others(request)
        headers = {"Content-Disposition": 'attachment; filename="members.csv"'}
        return HttpResponse(importing.SAMPLE, content_type="text/csv; charset=utf-8", headers=headers)

    @method_decorator(sensitive_variables("upload"))
    def _check_page(self, request: HttpRequest, upload: Upload) -> HttpResponse:
        plan = Plan(importing.preview(upload.text), upload.give)
        template = "admin/accounts/account/import_check.html"
        return self._page(request, template, _("Check the import"), plan=plan, sealed=_sealed(request, upload))

    @method_decorator(sensitive_variables("upload"))
    def _import(self, request: HttpRequest, upload: Upload) -> HttpResponse:
        try:
            with transaction.atomic():
                accounts = importing.members_import(importing.preview(upload.text))
                issued, invited = self._give(request, accounts, upload.give)
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
        issued = issue(request, members) if give == Gift.KEY else []
        return issued, invite(request, members) if give == Gift.INVITATION else []

    def _refuse_others(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **more}
        page = TemplateResponse(request, template, context)
        page["Cache-Control"] = "no-store"
        return page


def _gifts(request: HttpRequest) -> list[tuple[str, Any]]:
    """What new members may get from this person."""
    refused = {Gift.INVITATION: not may_invite(request), Gift.KEY: not may_issue(request)}
    return [(gift.value, gift.label) for gift in Gift if not refused.get(gift)]


@sensitive_variables("upload")
def _sealed(request: HttpRequest, upload: Upload) -> str:
    return crypto.seal(Member(pk=request.user.pk), SEALED, json.dumps(asdict(upload), ensure_ascii=False))


@sensitive_variables("upload")
def _unsealed(request: HttpRequest) -> Upload | None:
    """What the page brings back; None where it is another person's, damaged or too old."""
    # Sealed for this person's row: another's would not open it.
    holder = Member(pk=request.user.pk)
    setattr(holder, SEALED, request.POST.get(SEALED, ""))
    try:
        text = crypto.unseal(holder, SEALED)
    except crypto.CannotUnseal:
        return None
    upload = Upload(**json.loads(text)) if text else None
    return upload if upload and upload.until > time.time() else None
