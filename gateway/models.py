"""The gateway's own rows: slots, upstream sessions, catalogues, usage. None holds a secret or a text in clear."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
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

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")


class UpstreamSession(models.Model):
    """A session that the gateway made, or began to make, at the school. The row goes when the session is gone."""

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
        return f"session {self.school_id or 'without id'}"


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

    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("member")
    )
    api_key = models.ForeignKey(
        "accounts.ApiKey", on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("API key")
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
            models.Index(fields=("member", "-created_at"), name="usage_by_member"),
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
