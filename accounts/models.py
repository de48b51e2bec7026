"""Members, their XJTLU accounts and their API keys."""

from __future__ import annotations

import re
import time
import uuid
from base64 import b32decode
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from accounts.crypto import SealedField, unseal
from accounts.validators import XjtluUsernameValidator


class Member(AbstractUser):
    """A user of the gateway."""

    leaving_at = models.DateTimeField(_("leaving since"), null=True, blank=True, editable=False)
    # An IANA name; empty: what the browser says.
    time_zone = models.CharField(_("time zone"), max_length=60, default="", blank=True)

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

    # Who has what a login takes: the same as `can_log_in`, for the database.
    CAN_LOG_IN: ClassVar = ~models.Q(password="", sign_on_cookies="")

    # Made before the row is saved: the sealed fields are bound to it.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="account", verbose_name=_("member"))
    username = models.CharField(_("XJTLU username"), max_length=150, unique=True, validators=[XjtluUsernameValidator()])
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

    @property
    def can_log_in(self) -> bool:
        """Whether the gateway has what a login takes: the password, or cookies with which the sign-on asks for none."""
        return bool(self.password or self.sign_on_cookies)


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
    # Empty lists and unknown numbers bound nothing.
    allowed_models: models.JSONField[list[str], list[str]] = models.JSONField(
        _("allowed models"), default=list, blank=True
    )
    allowed_networks: models.JSONField[list[str], list[str]] = models.JSONField(
        _("allowed networks"), default=list, blank=True
    )
    requests_per_minute = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    requests_per_day = models.PositiveIntegerField(_("requests per day"), null=True, blank=True)
    may_manage = models.BooleanField(
        _("management API"), default=False, help_text=_("The key also opens the management API under /api/.")
    )
    replaces = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="replacements"
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, blank=True, editable=False)
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


class Invitation(models.Model):
    """A one-time link by which somebody chooses a password. Without a member it makes the first admin."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, null=True, blank=True, related_name="invitations")
    # SHA-256 of the link's secret, which has 192 bits and is nowhere kept.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-created_at",)


class AuditEntry(models.Model):
    """Who did what to which account, key or member, and from where. Nothing deletes these rows, and nothing edits them
    but the departure of a member, which takes the XJTLU usernames out.
    """

    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True, editable=False)
    actor = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("actor"), editable=False
    )
    # Kept when the actor is gone; a command's entries have no actor, only a name.
    actor_name = models.CharField(_("who"), max_length=150, editable=False)
    address = models.GenericIPAddressField(_("address"), null=True, editable=False)
    action = models.CharField(_("action"), max_length=200, editable=False)
    target_kind = models.CharField(_("kind"), max_length=40, editable=False)
    target_id = models.CharField(max_length=40, editable=False)
    target_name = models.CharField(_("target"), max_length=200, editable=False)
    # Whose account or key it is, or who it is; the name is kept as the actor's.
    member = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("member"), editable=False
    )
    member_name = models.CharField(max_length=150, default="", editable=False)
    # `[column, before, after]` of what may be told: names, permissions, limits.
    changes: models.JSONField[list[Any], list[Any]] = models.JSONField(_("changes"), default=list, editable=False)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("target_kind", "target_id"), name="audit_by_target"),)

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action}"


class SecondFactor(ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp is untyped
    """An authenticator app (RFC 6238: SHA-1, 6 digits, 30 s). Sealed, unlike in django-otp's own device.

    From there come `confirmed`, `verify_is_allowed`, `persistent_id` and what counts the wrong codes.
    """

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[SecondFactor]]
        recovery_codes: models.Manager[RecoveryCode]
        confirmed: bool
        persistent_id: str
        throttling_failure_count: int

    STEP_SECONDS = 30
    TOLERATED_STEPS = 1
    CODE = re.compile(r"[0-9]{6}")
    # Each wrong code doubles the wait, from one second up to 34 minutes.
    MOST_COUNTED_FAILURES = 12

    user = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="second_factor", editable=False)
    secret = SealedField(default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # The time step of the last code that was taken: a code that somebody has read off is worth nothing again.
    last_step = models.BigIntegerField(default=-1, editable=False)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")

    def verify_token(self, token: str) -> bool:
        """Whether the code is right, new and not asked too soon. Call it with the row locked."""
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(b32decode(unseal(self, "secret")), self.STEP_SECONDS)
        totp.time = time.time()
        is_code = self.CODE.fullmatch(token) is not None
        if is_code and totp.verify(int(token), self.TOLERATED_STEPS, self.last_step + 1):
            self.last_step = totp.t()
            self.throttle_reset()
            return True
        self.throttle_increment()
        return False

    def throttle_increment(self, commit: bool = True) -> None:
        self.throttling_failure_count = min(self.throttling_failure_count, self.MOST_COUNTED_FAILURES - 1)
        super().throttle_increment(commit)

    def get_throttle_factor(self) -> int:
        return 1


class RecoveryCode(models.Model):
    """A one-time code for when the app is not at hand."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    # SHA-256 of the code, which has 80 bits and is nowhere kept.
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint("factor", "digest", name="one_recovery_code_of_its_text"),)
