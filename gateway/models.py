"""The gateway's own rows: slots, upstream sessions, catalogues, usage. None holds a secret or a text in clear."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.crypto import SealedField


class Installation(models.Model):
    """The one row that tells this installation's upstream sessions from another's."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    mark = models.UUIDField(default=uuid.uuid4, editable=False)


class Lane(models.Model):
    """The slot of one account. Times are milliseconds since 1970: one conditional UPDATE claims the slot."""

    account_id = models.UUIDField(primary_key=True)
    next_at = models.BigIntegerField(default=0)
    # On top of the least interval; grows when the school says "too fast", then shrinks with each good call.
    extra_ms = models.PositiveIntegerField(default=0)
    # Until then a member waits for the slot: calls in the background leave it to the member.
    wanted_until = models.BigIntegerField(default=0)
    sent_at = models.BigIntegerField(default=0)
    # Until then a worker is busy with this account's background calls.
    working_until = models.BigIntegerField(default=0)
    # The member's sessions at the school that the gateway did not make, as was last seen, and when.
    other_sessions = models.PositiveIntegerField(default=0)
    others_seen_at = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")


class UpstreamSession(models.Model):
    """A session that the gateway made, or began to make, at the school. The row goes when the session is gone."""

    # So many the school lets one user have open; those made in the browser count there too.
    CAP: ClassVar = 50

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="upstream_sessions")
    school_id = models.BigIntegerField(_("id at the school"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    lease_until = models.DateTimeField(_("in use until"))
    delete_at = models.DateTimeField(_("to be deleted from"), null=True, blank=True)
    delete_tries = models.PositiveSmallIntegerField(default=0)
    # The one long-lived session of an account, and the fields that an update sends back.
    keep_alive = models.BooleanField(_("keep-alive"), default=False)
    fields: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("upstream session")
        verbose_name_plural = _("upstream sessions")
        constraints = (
            models.UniqueConstraint(
                fields=("account",), condition=models.Q(keep_alive=True), name="one_keep_alive_of_an_account"
            ),
        )
        indexes = (models.Index(fields=("delete_at",), name="session_delete_at"),)

    def __str__(self) -> str:
        if self.school_id is None:
            return gettext("session without id")
        return gettext("session %(id)s") % {"id": self.school_id}


class Catalogue(models.Model):
    """The models that the school offers to one account, as last seen."""

    account = models.OneToOneField(
        "accounts.Account", on_delete=models.CASCADE, primary_key=True, related_name="catalogue"
    )
    offered: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list)
    fetched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("catalogue")
        verbose_name_plural = _("catalogues")


class UsageStatus(models.TextChoices):
    OPEN = "open", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled by the client")
    LOST = "lost", _("lost in a crash")


class TokenSource(models.TextChoices):
    NONE = "", _("unknown")
    SCHOOL = "school", _("counted by the school")
    ESTIMATE = "estimate", _("estimated")


class UsageRecord(models.Model):
    """One request to the API, also when it failed or was cancelled. Times in milliseconds; null = unknown."""

    # Member and key stand first in indices below: none of their own.
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("member"),
    )
    api_key = models.ForeignKey(
        "accounts.ApiKey",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("API key"),
    )
    account = models.ForeignKey(
        "accounts.Account", on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("account")
    )
    request_id = models.CharField(_("request id"), max_length=40, unique=True)
    created_at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    endpoint = models.CharField(_("endpoint"), max_length=40)
    model = models.CharField(_("model"), max_length=120, default="", blank=True)
    stream = models.BooleanField(_("stream"), default=False)
    status = models.CharField(_("status"), max_length=12, choices=UsageStatus.choices, default=UsageStatus.OPEN)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    error_code = models.CharField(_("error"), max_length=60, default="", blank=True)
    queued_ms = models.PositiveIntegerField(_("queued (ms)"), null=True, blank=True)
    spacing_ms = models.PositiveIntegerField(_("spacing (ms)"), null=True, blank=True)
    login_ms = models.PositiveIntegerField(_("waiting for a login (ms)"), null=True, blank=True)
    # From the request's arrival to the upstream session.
    session_ms = models.PositiveIntegerField(_("session (ms)"), null=True, blank=True)
    first_token_ms = models.PositiveIntegerField(_("first token (ms)"), null=True, blank=True)
    total_ms = models.PositiveIntegerField(_("total (ms)"), null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), null=True, blank=True)
    token_source = models.CharField(
        _("token counts"), max_length=10, choices=TokenSource.choices, default=TokenSource.NONE, blank=True
    )
    # Further turns by which a broken tool call, or JSON that did not fit, was asked for again.
    repairs = models.PositiveSmallIntegerField(_("repair turns"), default=0)
    user_agent = models.CharField(_("client"), max_length=200, default="", blank=True)
    retry_count = models.PositiveSmallIntegerField(_("client's retry"), default=0)
    lease_until = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        ordering = ("-created_at", "-id")
        indexes = (
            models.Index(fields=("member", "-created_at", "-id"), name="usage_by_member"),
            models.Index(fields=("member", "model", "-created_at", "-id"), name="usage_by_member_model"),
            models.Index(fields=("api_key", "-created_at", "-id"), name="usage_by_key"),
            models.Index(
                fields=("member", "-created_at", "-id"),
                condition=models.Q(api_key__isnull=True),
                name="usage_without_key",
            ),
            models.Index(fields=("model", "-created_at", "-id"), name="usage_by_model"),
            models.Index(fields=("member", "status", "-created_at", "-id"), name="usage_by_member_status"),
            models.Index(fields=("api_key", "status", "-created_at", "-id"), name="usage_by_key_status"),
            models.Index(fields=("status", "-created_at", "-id"), name="usage_by_status"),
            models.Index(fields=("error_code", "-created_at", "-id"), name="usage_by_error"),
            models.Index(fields=("endpoint", "-created_at", "-id"), name="usage_by_endpoint"),
            models.Index(fields=("lease_until",), condition=models.Q(status="open"), name="usage_open"),
        )

    def __str__(self) -> str:
        return self.request_id


class StoredResponse(models.Model):
    """A response that its member asked to keep, with the conversation that led to it. Only that member can reach it."""

    # The response's own id. Known before the row is saved: the sealed field is bound to it.
    id = models.CharField(max_length=60, primary_key=True, editable=False)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stored_responses")
    content = SealedField(editable=False)
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    class Meta:
        verbose_name = _("stored response")
        verbose_name_plural = _("stored responses")

    def __str__(self) -> str:
        return self.id


class UsageRollup(models.Model):
    """The ended requests of one hour or day, by member, key and model, or of an hour by model alone. Days are those of
    the gateway's time zone.
    """

    class Period(models.TextChoices):
        HOUR = "hour", _("hour")
        DAY = "day", _("day")
        HOUR_OF_ALL = "all", _("everybody's hour")

    period = models.CharField(max_length=4, choices=Period.choices)
    start = models.DateTimeField()
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey("accounts.ApiKey", on_delete=models.SET_NULL, null=True, related_name="+")
    model = models.CharField(max_length=120, default="")
    requests = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    # Lists of models: none of the requests above.
    lists = models.PositiveIntegerField(default=0)
    # Tokens of the requests whose counts are known; how many of those were estimated, and how many had none at all.
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    estimated_tokens = models.BigIntegerField(default=0)
    counted = models.PositiveIntegerField(default=0)
    # Sums for averages over the requests that had one.
    first_token_ms = models.BigIntegerField(default=0)
    first_tokens = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index(fields=("period", "start"), name="rollup_by_time"),
            models.Index(fields=("member", "period", "start"), name="rollup_by_member"),
            models.Index(fields=("api_key", "period", "start"), name="rollup_by_key"),
        )


class RolledUp(models.Model):
    """The one row that says until when usage is in `UsageRollup`; what is newer is read from the records."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    until = models.DateTimeField()


class Allowance(models.Model):
    """What a key with limits has used of the running minute and day (numbers of minutes and days since 1970, UTC)."""

    api_key = models.OneToOneField("accounts.ApiKey", on_delete=models.CASCADE, primary_key=True, related_name="+")
    minute = models.BigIntegerField(default=0)
    minute_requests = models.PositiveIntegerField(default=0)
    day = models.BigIntegerField(default=0)
    day_requests = models.PositiveIntegerField(default=0)


class Heartbeat(models.Model):
    """When a part of the installation was last seen at work, and its version: see gateway/health/heartbeats.py."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    version = models.CharField(max_length=40, default="")

    class Meta:
        # Whoever may see them may see the health of all parts of the gateway: the permission is named after that.
        verbose_name = verbose_name_plural = _("the health of the gateway's parts")
