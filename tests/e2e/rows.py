"""What the desk's process does: commands, and looks at the database. Imported with settings of either process."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from typing import Any
from unittest import mock

import redis
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db.models import F
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts import crypto, invitations
from accounts.models import Account, LoginBlock, Member
from accounts.services import account_pause, password_change, sign_on_cookies
from gateway import catalogue
from gateway.management.commands.rotate_encryption_keys import sealed_fields
from gateway.models import Catalogue, Lane, UpstreamSession, UsageRecord
from gateway.school.catalog import Model
from gateway.spacer import now_ms
from tests.school import MODEL
from tokens.logins import login_ask
from tokens.models import LoginAttempt, Trigger, UpstreamToken

AGO = timedelta(hours=1)
CHATS = ("chat/completions", "playground")
REDIS_CLAIM = "claimed"


def command(*arguments: str, stdin: str = "") -> str:
    """The standard output of a `manage.py` command."""
    output = io.StringIO()
    with mock.patch.object(sys, "stdin", io.StringIO(stdin)):
        call_command(*arguments, stdout=output)
    return output.getvalue()


def import_token(name: str, token: dict[str, Any]) -> None:
    """A pasted token, with a list of models that is fresh: first the list, which the schedule would ask for."""
    catalogue.store(account(name)["id"], (Model(id=MODEL, label="Qwen 3.6"), Model(id="gpt-5.6-luna", label="Luna")))
    command("import_token", name, stdin=json.dumps(token))


def invite(name: str) -> str:
    """An invitation's path."""
    _invitation, secret = invitations.invitation_make(member=Member.objects.get(username=name), created_by=None)
    return f"/dashboard/invitation/{secret}/"


def make_admin(name: str) -> None:
    Member.objects.create_superuser(name)


def choose_password(name: str, password: str) -> None:
    member = Member.objects.get(username=name)
    member.set_password(password)
    member.save()


def forget_models(name: str) -> None:
    Catalogue.objects.filter(account__member__username=name).delete()


def nudge(task: str) -> None:
    """Send a task of the schedule now."""
    current_app.send_task(task)


def account(name: str) -> dict[str, Any]:
    row = Account.objects.get(member__username=name)
    return {
        "id": row.pk,
        "login_block": LoginBlock(row.login_block),
        "password_tries": row.password_tries,
        "early_failures": row.early_failures,
        "logged_in": any(token.is_usable for token in UpstreamToken.objects.filter(account=row)),
    }


def exists(name: str) -> bool:
    return Member.objects.filter(username=name).exists()


def token_version(name: str) -> Any:
    return UpstreamToken.objects.get(account__member__username=name).version


def logins(name: str) -> list[dict[str, Any]]:
    """The account's logins, oldest first."""
    attempts = LoginAttempt.objects.filter(account__member__username=name).order_by("created_at")
    return [{**model_to_dict(row), "id": row.pk, "scratch": row.scratch, "host": row.host} for row in attempts]


def usage(name: str) -> list[dict[str, Any]]:
    """The member's chats, oldest first."""
    records = UsageRecord.objects.filter(member__username=name, endpoint__in=CHATS)
    return [dict(values) for values in records.order_by("created_at").values()]


def record(request_id: str) -> dict[str, Any]:
    return dict(UsageRecord.objects.values().get(request_id=request_id))


def sessions(name: str) -> list[dict[str, Any]]:
    """The rows of the account's upstream sessions."""
    return [dict(values) for values in UpstreamSession.objects.filter(account__member__username=name).values()]


def change_password(name: str, password: str) -> None:
    """As the admin's page does."""
    row = Account.objects.select_related("member").get(member__username=name)
    password_change(account=row, xjtlu_password=password)
    login_ask(account=row, trigger=Trigger.PERSON)


def pause(name: str) -> None:
    account_pause(account=Account.objects.get(member__username=name))


# Moving times, where a test would have to wait.


def end_leases(name: str) -> None:
    """As if a minute had passed since the owner of the account's rows died."""
    past = timezone.now() - AGO
    UpstreamSession.objects.filter(account__member__username=name).update(lease_until=past)
    UsageRecord.objects.filter(member__username=name).update(lease_until=past)
    LoginAttempt.objects.filter(account__member__username=name, started_at__isnull=False).update(lease_until=past)


def make_deletions_due(name: str) -> None:
    due = UpstreamSession.objects.filter(account__member__username=name, delete_at__isnull=False)
    due.update(delete_at=timezone.now())


def make_login_due(name: str) -> None:
    """As if the back-off were over, and the time in which a worker should have taken up what was sent."""
    past = timezone.now() - AGO
    Account.objects.filter(member__username=name).update(next_login_at=past)
    LoginAttempt.objects.filter(account__member__username=name).update(sent_at=past)


def make_refresh_due(name: str) -> None:
    UpstreamToken.objects.filter(account__member__username=name).update(refresh_at=timezone.now())


def let_token_expire(name: str) -> None:
    """The schedule's own refresh is far off, so that a request comes first."""
    now = timezone.now()
    UpstreamToken.objects.filter(account__member__username=name).update(expires_at=now, refresh_at=now + AGO)


def make_idle(name: str) -> None:
    """As if the account's last call were an hour ago."""
    lane = Lane.objects.filter(account_id=account(name)["id"])
    lane.update(sent_at=F("sent_at") - AGO.total_seconds() * 1000)


def free_lane(name: str) -> None:
    """As if the hold of a slot whose owner died were over."""
    Lane.objects.filter(account_id=account(name)["id"]).update(next_at=0, wanted_until=0)


def waits_for_slot(name: str) -> bool:
    """Whether a member's request wants the account's next slot."""
    return Lane.objects.filter(account_id=account(name)["id"], wanted_until__gt=now_ms()).exists()


def take_lane(name: str, seconds: float) -> None:
    """As if another process held the account's slot."""
    Lane.objects.update_or_create(
        account_id=account(name)["id"], defaults={"next_at": now_ms() + round(seconds * 1000)}
    )


# Secrets.


def secrets_in_clear() -> list[str]:
    """All that is stored sealed."""
    found = []
    for row in Account.objects.all():
        found += [crypto.unseal(row, "password")] + [str(cookie["value"]) for cookie in sign_on_cookies(row)]
    for token in UpstreamToken.objects.all():
        held = json.loads(crypto.unseal(token, "secrets"))
        found += [held["jm_token"], held["sdp_app_session"], *held["cookies"].values()]
    return [secret for secret in found if secret]


def sealed_with() -> set[str]:
    """The ids of the keys with which everything is sealed."""
    values = [
        value
        for model, field in sealed_fields()
        for value in model._default_manager.exclude(**{field: ""}).values_list(field, flat=True)
    ]
    return {value.split(":")[1] for value in values}


def key_ids() -> list[str]:
    return crypto.key_ids()


def dump() -> str:
    """All rows of all tables as text."""
    lines = (repr(values) for model in apps.get_models() for values in model._default_manager.values())
    return "\n".join(lines)


def broker_dump() -> str:
    """All that waits in Redis as text; "" with the embedded broker, whose messages are files."""
    if not settings.REDIS_URL:
        return ""
    import redis

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return repr([client.dump(key) for key in client.scan_iter()])


def empty_broker() -> None:
    """The broker has lost everything."""
    if settings.REDIS_URL:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()
            client.set(REDIS_CLAIM, "e2e")
    for message in (settings.BROKER_DIR / "queue").glob("*.msg"):
        message.unlink(missing_ok=True)
