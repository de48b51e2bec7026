"""What an admin fills in. A password is only ever taken: no form gives one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminEmailInputWidget, AdminSplitDateTime, AdminTextInputWidget
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, ApiKey, Member
from gateway import renaming
from gateway.admin_once import OnceField

if TYPE_CHECKING:
    AccountModelForm = forms.ModelForm[Account]
else:
    AccountModelForm = forms.ModelForm


def password_field(**options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}, render_value=False)
    return forms.CharField(strip=False, required=False, max_length=500, widget=widget, **options)


class MemberAddForm(forms.Form):
    """A member with an account, in one step."""

    name = forms.CharField(
        label=_("Member name"),
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=AdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=_("The name in the gateway: letters, digits and @/./+/-/_ only."),
    )
    email = forms.EmailField(label=_("E-mail"), required=False, max_length=254, widget=AdminEmailInputWidget())
    xjtlu_username = forms.CharField(
        label=_("XJTLU username"),
        max_length=150,
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("As at the school's sign-on, such as San.Zhang24."),
    )
    xjtlu_password = password_field(
        label=_("XJTLU password"),
        help_text=_("Stored encrypted, never shown. Without one the account lives on tokens that the member pastes."),
    )
    issue_key = forms.BooleanField(
        label=_("Issue the first API key"),
        required=False,
        initial=True,
        help_text=_("It is shown once, on the next page."),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Member.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("A member with this name exists already."))
        return name

    def clean_xjtlu_username(self) -> str:
        username: str = self.cleaned_data["xjtlu_username"]
        if Account.objects.filter(username__iexact=username).exists():
            raise ValidationError(_("A member with this XJTLU account exists already."))
        return username


class AccountForm(AccountModelForm):
    """What can be changed in an account."""

    new_password = password_field(
        label=_("New XJTLU password"),
        help_text=_("Leave it empty to keep what is stored. A new password starts a login at once."),
    )

    class Meta:
        model = Account
        fields = ("username",)
        help_texts = {  # noqa: RUF012  Django reads it
            "username": _("Another user's name erases the stored password and token of the present one.")
        }

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if Account.objects.filter(username__iexact=username).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("A member with this XJTLU account exists already."))
        before = Account.objects.get(pk=self.instance.pk)
        if renaming.is_other_user(before, username):
            renaming.refuse_if_in_use(account=before)
        return username

    def clean(self) -> dict[str, Any] | None:
        before = Account.objects.get(pk=self.instance.pk)
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("new_password")
        if username and before.has_password and not password and renaming.is_other_user(before, username):
            self.add_error("new_password", _("The stored password is the former XJTLU user's: give the new user's."))
        return super().clean()


class KeyIssueForm(forms.Form):
    """A new key for a member."""

    member = forms.ModelChoiceField(Member.objects.filter(leaving_at=None).order_by("username"), label=_("Member"))
    name = forms.CharField(
        label=_("Name"),
        max_length=ApiKey._meta.get_field("name").max_length,
        initial="default",
        widget=AdminTextInputWidget(),
        help_text=_("What the key is for."),
    )
    expires_at = forms.SplitDateTimeField(
        label=_("Expires"), required=False, widget=AdminSplitDateTime(), help_text=_("Leave it empty for never.")
    )
    once = OnceField()
