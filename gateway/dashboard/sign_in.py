"""Signing in and out, and a new password by mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.utils import reset as forget_failures
from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse, reverse_lazy
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language, gettext_noop, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.models import AuditEntry, Member
from gateway import mail
from gateway.addresses import client_address, network_of
from gateway.dashboard import second_factor
from gateway.dashboard.guard import member_of
from gateway.dashboard.sign_in_lock import remember_browser

SECONDS_A_DAY = 86_400
RESET_EVERY = timedelta(minutes=5)
"""A member gets one mail in this time, whoever asks."""
RESETS_AN_HOUR = 20
"""So many mails an hour can be asked for from one address. A campus may share it."""

ASKED_FOR_RESET = gettext_noop("Asked for a new password by mail.")


class SignInForm(AuthenticationForm):
    error_messages = {  # noqa: RUF012  as Django declares it
        "invalid_login": _(
            "Name and password do not fit together. Mind capitals in both. Were you invited and have no password yet? "
            "Then open your invitation link first."
        ),
        "inactive": _("Name and password do not fit together."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = pgettext_lazy("of a member", "Name")


class SignIn(views.LoginView):
    template_name = "dashboard/sign_in.html"
    authentication_form = SignInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # Not `redirect_authenticated_user`: it raises where `next` leads back here.
        if request.user.is_authenticated and request.method == "GET" and self.get_success_url() != request.path:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        return remember_browser(super().form_valid(form), member_of(self.request))


def locked_out(request: HttpRequest, _response: HttpResponse, _credentials: object) -> HttpResponse:
    """What django-axes answers in place of the page: the form again, with what to do."""
    wait = round(settings.AXES_COOLOFF_TIME.total_seconds())
    form = SignInForm(request, initial={"username": request.POST.get("username", "")})
    context = {"form": form, "next": request.POST.get("next", ""), "locked": _locked(wait // 60)}
    page = render(request, "dashboard/sign_in.html", context, status=429)
    page["Retry-After"] = str(wait)
    return page


def _locked(minutes: int) -> str:
    return ngettext(
        "There were too many wrong passwords, for this name or from your network. Wait %(minutes)d minute, then try "
        "again.",
        "There were too many wrong passwords, for this name or from your network. Wait %(minutes)d minutes, then try "
        "again.",
        minutes,
    ) % {"minutes": minutes}


class ResetForm(PasswordResetForm):
    """Django's choice of members; the mail is ours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")

    def save(self, *args: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
        assert request is not None
        for member in self.get_users(self.cleaned_data["email"]):
            assert isinstance(member, Member)
            if mail.is_configured() and _note_reset(request, member):
                _mail_reset(request, member)


def _note_reset(request: HttpRequest, member: Member) -> bool:
    """Whether a mail may go to the member now; then the audit has it. The page says the same either way."""
    address = client_address(request)
    with transaction.atomic():
        # Locked: of many requests at one moment the first alone is the first.
        Member.objects.select_for_update().get(pk=member.pk)
        if _was_reset_asked(member) or _resets_from(address) >= RESETS_AN_HOUR:
            return False
        audit.note(actor=None, actor_name="visitor", action=ASKED_FOR_RESET, target=member, address=address)
    return True


def _was_reset_asked(member: Member) -> bool:
    asked = AuditEntry.objects.filter(action=ASKED_FOR_RESET, target_kind="member", target_id=str(member.pk))
    return asked.filter(at__gt=timezone.now() - RESET_EVERY).exists()


def _resets_from(address: str | None) -> int:
    """Mails of the last hour that were asked for from the network of this address."""
    asked = AuditEntry.objects.filter(action=ASKED_FOR_RESET, at__gt=timezone.now() - timedelta(hours=1))
    return sum(network_of(each) == network_of(address) for each in asked.values_list("address", flat=True))


def _mail_reset(request: HttpRequest, member: Member) -> None:
    uid = urlsafe_base64_encode(force_bytes(member.pk))
    token = default_token_generator.make_token(member)
    place = reverse("dashboard:password_reset_confirm", args=[uid, token])
    mail.mail_send(
        to=member.email,
        subject=_("A new password for XIPU Gateway"),
        template="password_reset",
        context={
            "name": member.get_short_name() or member.username,
            "link": f"{settings.PUBLIC_URL}{place}" if settings.PUBLIC_URL else request.build_absolute_uri(place),
            "days": settings.PASSWORD_RESET_TIMEOUT // SECONDS_A_DAY,
        },
        language=get_language(),
    )


class Reset(views.PasswordResetView):
    template_name = "dashboard/password_reset.html"
    form_class = ResetForm
    success_url = reverse_lazy("dashboard:password_reset_sent")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(has_mail=mail.is_configured(), **kwargs)


class ResetConfirm(views.PasswordResetConfirmView):
    template_name = "dashboard/password_reset_confirm.html"
    success_url = reverse_lazy("dashboard:password_reset_done")

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        answer = super().form_valid(form)
        forget_failures(username=form.user.get_username())
        action = gettext_noop("Chose a new password by mail.")
        audit.note(actor=form.user, action=action, target=form.user, address=client_address(self.request))
        return answer


urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign_in"),
    path("sign-out/", views.LogoutView.as_view(), name="sign_out"),
    path("password-reset/", Reset.as_view(), name="password_reset"),
    path(
        "password-reset/sent/",
        views.PasswordResetDoneView.as_view(template_name="dashboard/password_reset_sent.html"),
        name="password_reset_sent",
    ),
    path(
        "password-reset/done/",
        views.PasswordResetCompleteView.as_view(template_name="dashboard/password_reset_done.html"),
        name="password_reset_done",
    ),
    path("password-reset/<uidb64>/<token>/", ResetConfirm.as_view(), name="password_reset_confirm"),
    *second_factor.urlpatterns,
]
