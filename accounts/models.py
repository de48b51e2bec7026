"""Members, their XJTLU accounts and their API keys."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField


class Member(AbstractUser):
    """A user of the gateway."""

    leaving_at = models.DateTimeField(_("leaving since"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")


class LoginBlock(models.TextChoices):
    """Why no login starts by itself until a person acts."""

    NONE = "", _("none")
    WRONG_PASSWORD = "wrong_password", _("wrong password")
    NEEDS_YOU = "needs_you", _("needs you")


class Account(models.Model):
    """A member's own XJTLU account. The two sealed fields are never shown in any form."""

    # Made before the row is saved: the sealed fields are bound to it.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="account", verbose_name=_("member"))
    username = models.CharField(_("XJTLU username"), max_length=150, unique=True)
    password = SealedField(default="", blank=True, editable=False)
    sign_on_cookies = SealedField(default="", blank=True, editable=False)
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)
    # What a person must mend; tries that ended after the password was submitted, failures before it, and its back-off.
    login_block = models.CharField(
        max_length=20, choices=LoginBlock.choices, default=LoginBlock.NONE, blank=True, editable=False
    )
    login_block_reason = models.CharField(max_length=300, default="", blank=True, editable=False)
    password_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    early_failures = models.PositiveSmallIntegerField(default=0, editable=False)
    next_login_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("username",)
        # Two spellings of one school user would be two lanes to it.
        constraints = (models.UniqueConstraint(Lower("username"), name="one_account_of_a_school_user"),)

    def __str__(self) -> str:
        return self.username

    @property
    def has_password(self) -> bool:
        return bool(self.password)


class ApiKey(models.Model):
    """A member's key for the gateway: `xg-<prefix>-<secret>`, of which the prefix and a hash are stored."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("member"))
    name = models.CharField(_("name"), max_length=100, default="default")
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    web_search = models.BooleanField(
        _("web search"), default=False, help_text=_("Search the web in every chat with a model that can.")
    )
    fold_reasoning = models.BooleanField(
        _("fold reasoning"),
        default=False,
        help_text=_("Give reasoning inside <think> tags, for clients that do not know the field reasoning_content."),
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} (xg-{self.prefix}-…)"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
