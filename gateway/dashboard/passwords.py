"""What the pages share about passwords: the fields of a new one, and asking again for the one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Member
from gateway.dashboard.guard import member_of

NEW_PASSWORD_HELP = _("At least eight characters, no password that many people use, and nothing like your name.")
COPIED = ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_USER_AGENT", "HTTP_ACCEPT", "PATH_INFO")


if TYPE_CHECKING:
    SetPassword = SetPasswordForm[Member]
else:
    SetPassword = SetPasswordForm


class NewPasswordForm(SetPassword):
    """Two fields that must agree, checked by Django's validators, in our words."""

    def __init__(self, user: Member, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["new_password1"].label = _("New password")
        self.fields["new_password1"].help_text = NEW_PASSWORD_HELP
        self.fields["new_password2"].label = _("The same once more")
        self.fields["new_password2"].help_text = ""


def password_field() -> forms.CharField:
    """For the password that the member has now."""
    return forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def check_password(request: HttpRequest, password: str) -> None:
    """Raise `ValidationError` unless it is the member's. Wrong ones count as in signing in, up to the same lock."""
    asked = _without_form(request)
    if authenticate(asked, username=member_of(request).get_username(), password=password) is not None:
        return
    if getattr(asked, "axes_locked_out", False):
        raise ValidationError(_("There were too many wrong passwords. Wait a quarter of an hour, then try again."))
    raise ValidationError(_("This is not your password."))


def _without_form(request: HttpRequest) -> HttpRequest:
    """django-axes writes down what a form said when the password was wrong; such as another, new password."""
    bare = HttpRequest()
    bare.META = {name: request.META[name] for name in COPIED if name in request.META}
    bare.COOKIES = request.COOKIES
    return bare
