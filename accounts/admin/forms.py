"""What an admin fills in. A password is only ever taken: no form gives one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils.html import escape
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.forms import UserChangeForm
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts import keys
from accounts.models import Account, ApiKey, Member
from accounts.reach import is_last_admin
from accounts.validators import XjtluUsernameValidator
from gateway import renaming
from gateway.once import OnceField

if TYPE_CHECKING:
    AccountModelForm = forms.ModelForm[Account]
    KeyModelForm = forms.ModelForm[ApiKey]
    MemberField = forms.ModelChoiceField[Member]
else:
    AccountModelForm = KeyModelForm = forms.ModelForm
    MemberField = forms.ModelChoiceField

NO_LIMIT = _("Leave it empty for no limit.")


def password_field(**options: Any) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
    return forms.CharField(strip=False, required=False, max_length=500, widget=widget, **options)


class LinesField(forms.CharField):
    """A list of texts, one a line or separated by commas."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        texts = value if isinstance(value, list) else (value or "").replace(",", "\n").splitlines()
        return list(dict.fromkeys(text.strip() for text in texts if text.strip()))

    def run_validators(self, value: Any) -> None:
        for text in value:
            super().run_validators(text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial) != self.to_python(data))


class NetworksField(LinesField):
    """Addresses and networks, brought to one way of writing."""

    def clean(self, value: Any) -> Any:
        return keys.networks(super().clean(value))


class MemberForm(UserChangeForm):  # type: ignore[misc]  # the theme has no types
    """What can be changed in a member."""

    ADMINS_FLAGS = ("is_active", "is_staff", "is_superuser")

    def clean(self) -> dict[str, Any] | None:
        taken = [name for name in self.ADMINS_FLAGS if self.cleaned_data.get(name) is False]
        if taken and is_last_admin(self.instance):
            self.add_error(taken[0], _("Nobody else is an active admin. Make somebody else an admin first."))
        data: dict[str, Any] | None = super().clean()
        return data


class PersonAddForm(forms.Form):
    """Who somebody is in the gateway."""

    name = forms.CharField(
        label=_("Member name"),
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=_("The name in the gateway: letters, digits and @/./+/-/_ only."),
    )
    email = forms.EmailField(label=_("E-mail"), required=False, max_length=254, widget=UnfoldAdminEmailInputWidget())

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Member.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("A member with this name exists already."))
        return name


class StaffAddForm(PersonAddForm):
    """Somebody who works in the admin and has no XJTLU account here."""

    ROLES = (("staff", _("staff: what you permit them")), ("admin", _("admin: everything")))
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="staff", widget=UnfoldAdminRadioSelectWidget())


class MemberAddForm(PersonAddForm):
    """A member with an account, in one step."""

    xjtlu_username = forms.CharField(
        label=_("XJTLU username"),
        max_length=150,
        validators=[XjtluUsernameValidator()],
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("As at the school's sign-on, such as San.Zhang24."),
    )
    xjtlu_password = password_field(
        label=_("XJTLU password"),
        help_text=_(
            "May be left to the member, who types it once on accepting the invitation. Stored encrypted, never shown."
        ),
    )
    issue_key = forms.BooleanField(
        label=_("Issue the first API key"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_(
            "Not needed: the invitation leads the member to their first key. It is shown once, on the next page."
        ),
    )

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


def _switch(name: str) -> forms.BooleanField:
    field = ApiKey._meta.get_field(name)
    assert isinstance(field, models.BooleanField)
    return forms.BooleanField(
        label=capfirst(field.verbose_name),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        # The admin shows help as HTML, and this one names a tag.
        help_text=escape(field.help_text),
    )


class KeyUse(forms.Form):
    """What a key may be used for. Each field is a setting of `accounts.keys`."""

    allowed_models = LinesField(
        label=_("Allowed models"),
        required=False,
        validators=[MaxLengthValidator(120)],
        help_text=_("One id a line; empty for all models."),
    )
    allowed_networks = NetworksField(
        label=_("Allowed networks"),
        required=False,
        validators=[MaxLengthValidator(60)],
        help_text=_("Addresses or networks such as 10.0.0.0/8, one a line; empty for all."),
    )
    requests_per_minute = forms.IntegerField(
        label=_("Requests per minute"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=NO_LIMIT,
    )
    requests_per_day = forms.IntegerField(
        label=_("Requests per day"),
        required=False,
        min_value=1,
        max_value=100_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=NO_LIMIT,
    )
    web_search = _switch("web_search")
    fold_reasoning = _switch("fold_reasoning")
    may_manage = _switch("may_manage")


class KeyIssueForm(KeyUse):
    """A new key for a member."""

    member = MemberField(
        Member.objects.filter(leaving_at=None).order_by("username"),
        label=_("Member"),
        widget=UnfoldAdminSelectWidget(),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=ApiKey._meta.get_field("name").max_length,
        initial="default",
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("What the key is for."),
    )
    expires_at = forms.SplitDateTimeField(
        label=_("Expires"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Leave it empty for never."),
    )
    once = OnceField()

    def clean_member(self) -> Member:
        member: Member = self.cleaned_data["member"]
        if keys.live_keys().filter(member=member).count() >= keys.MAX_LIVE_KEYS:
            raise ValidationError(_("This member has as many working keys as one may have. Revoke one first."))
        return member


class KeyForm(KeyUse, KeyModelForm):
    """What can be changed in a key."""

    class Meta:
        model = ApiKey
        fields = (
            *("name", "expires_at", "allowed_models", "allowed_networks"),
            *("requests_per_minute", "requests_per_day", "web_search", "fold_reasoning", "may_manage"),
        )


class RotateForm(forms.Form):
    """How long the old key still works."""

    GRACE = (
        ("0", _("Stop at once")),
        ("1", _("1 hour")),
        ("24", _("1 day")),
        ("168", _("7 days")),
        ("720", _("30 days")),
    )
    grace = forms.TypedChoiceField(
        label=_("The old key works for"),
        choices=GRACE,
        coerce=int,
        initial="24",
        widget=UnfoldAdminSelectWidget(),
        help_text=_("In this time both keys work, so that every program can be given the new one."),
    )
    once = OnceField()
