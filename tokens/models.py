"""Upstream tokens and the attempts to get them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField
from accounts.models import Account


class UpstreamToken(models.Model):
    """What the last login of an account captured. `secrets` seals `{"jm_token", "sdp_app_session", "cookies"}`."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="token")
    # A new one with each capture: a call that was refused with an older token does not mark the newer one dead.
    version = models.UUIDField(default=uuid.uuid4, editable=False)
    secrets = SealedField(editable=False)
    api_url = models.URLField(_("API base"), max_length=300)
    origin = models.CharField(max_length=300, default="", blank=True)
    user_agent = models.CharField(max_length=300, default="", blank=True)
    captured_at = models.DateTimeField(_("captured"), default=timezone.now)
    expires_at = models.DateTimeField(_("logged in until"), null=True, blank=True)
    refresh_at = models.DateTimeField(_("next refresh"), null=True, blank=True)
    dead_at = models.DateTimeField(_("refused since"), null=True, blank=True)

    class Meta:
        verbose_name = _("upstream token")
        verbose_name_plural = _("upstream tokens")

    def __str__(self) -> str:
        return f"token of {self.account}"

    @property
    def is_usable(self) -> bool:
        return self.dead_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class Trigger(models.TextChoices):
    ADDED = "added", _("account added")
    REFRESH = "refresh", _("refresh before expiry")
    REQUEST = "request", _("a request found no token")
    PERSON = "person", _("a person asked")


class Outcome(models.TextChoices):
    CAPTURED = "captured", _("logged in")
    WRONG_PASSWORD = "wrong_password", _("wrong password")
    NEEDS_YOU = "needs_you", _("needs you")
    FAILED = "failed", _("failed")
    LOST = "lost", _("lost in a crash")


class LoginAttempt(models.Model):
    """One login: waiting (no outcome, never started), running (a lease), or ended (an outcome)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="logins")
    trigger = models.CharField(_("why"), max_length=20, choices=Trigger.choices)
    created_at = models.DateTimeField(_("asked"), default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    password_submitted = models.BooleanField(_("password submitted"), default=False)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices, default="", blank=True)
    message = models.CharField(_("message"), max_length=500, default="", blank=True)
    # [{"at": seconds since the start, "step": name, "detail": text}]
    steps: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list, blank=True)
    # Whether the data directory holds a picture of the page on which it failed.
    has_screenshot = models.BooleanField(default=False, editable=False)
    # A person watches this login's Chrome and acts in it.
    live = models.BooleanField(pgettext_lazy("login", "live"), default=False, editable=False)
    # What opens the worker's way to the web process, once; and where that process listens (ws://…).
    live_secret = SealedField(default="", blank=True, editable=False)
    live_url = models.CharField(max_length=300, default="", blank=True, editable=False)
    # What the school asks of a person at this moment: "captcha", "second factor"; empty: nothing.
    asked = models.CharField(max_length=300, default="", blank=True, editable=False)
    process_group = models.IntegerField(null=True, blank=True, editable=False)
    scratch = models.CharField(max_length=300, default="", blank=True, editable=False)
    host = models.CharField(max_length=100, default="", blank=True, editable=False)

    class Meta:
        verbose_name = _("login")
        verbose_name_plural = _("logins")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("account",), condition=Q(ended_at=None), name="one_open_login_of_an_account"
            ),
        )
        indexes = (models.Index(fields=("ended_at", "lease_until"), name="login_open"),)

    def __str__(self) -> str:
        return gettext("login of %(account)s") % {"account": self.account}
