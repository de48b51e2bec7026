"""Celery's edge of the gateway: thin tasks that carry ids. Each may run twice or never; the rows say what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.models import Account, Member
from gateway import catalogue, database, departure, sessions, spacer, stored, tidying
from gateway.calls import Line
from gateway.errors import GatewayError, TokenDead
from gateway.health import heartbeats
from gateway.school.client import make_http
from gateway.spacer import Spacer
from gateway.usage import recording as usage
from gateway.usage import rollups
from tokens.models import UpstreamToken

log = structlog.get_logger(__name__)


@shared_task(name="gateway.send_due_cleanups")
def send_due_cleanups() -> None:
    for account_id in sessions.accounts_with_work():
        clean_up.apply_async([str(account_id)], expires=60)


@shared_task(name="gateway.clean_up")
def clean_up(account_id: str) -> None:
    """Delete the account's used sessions, and look for those that a crash left."""

    async def work(line: Line) -> None:
        await sessions.delete_due(line)
        await sessions.sweep(line)

    _in_background(UUID(account_id), work)


@shared_task(name="gateway.send_due_keep_alives")
def send_due_keep_alives() -> None:
    idle_since = timezone.now() - timedelta(seconds=settings.XIPU_KEEP_ALIVE_SECONDS)
    idle = spacer.last_sent_before(round(idle_since.timestamp() * 1000))
    live = UpstreamToken.objects.filter(account_id__in=idle, dead_at=None, account__paused_at=None)
    for token in live.filter(account__member__leaving_at=None):
        if token.is_usable:
            keep_alive.apply_async([str(token.account_id)], expires=60)


@shared_task(name="gateway.keep_alive")
def keep_alive(account_id: str) -> None:
    """One harmless call for an idle account, unless another call came meanwhile."""
    offer = catalogue.stored(UUID(account_id))
    if offer is None or not offer.models or not spacer.is_idle(UUID(account_id), settings.XIPU_KEEP_ALIVE_SECONDS):
        return
    _in_background(UUID(account_id), lambda line: sessions.keep_alive(line, offer.models[0].id))


@shared_task(name="gateway.send_due_catalogues")
def send_due_catalogues() -> None:
    for account_id in catalogue.accounts_due():
        refresh_catalogue.apply_async([str(account_id)], expires=60)


@shared_task(name="gateway.refresh_catalogue")
def refresh_catalogue(account_id: str) -> None:
    _in_background(UUID(account_id), catalogue.refresh)


@shared_task(name="gateway.close_lost_usage")
def close_lost_usage() -> None:
    if lost := usage.close_lost():
        log.warning("requests were lost in a crash", number=lost)


@shared_task(name="gateway.roll_up_usage")
def roll_up_usage() -> None:
    rollups.roll_up()


@shared_task(name="gateway.note_heartbeat")
def note_heartbeat(worker: str) -> None:
    heartbeats.heartbeat_note(name=worker)
    if worker == heartbeats.Worker.LOGINS:
        heartbeats.browser_note()


@shared_task(name="gateway.erase_expired_responses")
def erase_expired_responses() -> None:
    stored.erase_expired()


@shared_task(name="gateway.tidy_up")
def tidy_up() -> None:
    tidying.erase_ended_sessions()
    tidying.erase_old_failures()


@shared_task(name="gateway.remove_leaving_members")
def remove_leaving_members() -> None:
    for member in Member.objects.filter(leaving_at__isnull=False):
        remove_member.apply_async([member.pk], expires=60)


@shared_task(name="gateway.remove_member")
def remove_member(member_id: int) -> None:
    """Clean the leaving member's sessions at the school, then erase the member."""
    member = Member.objects.filter(pk=member_id, leaving_at__isnull=False).first()
    if member is None:
        return
    account = Account.objects.filter(member=member).first()
    cleaned = account is None or not departure.has_sessions(account)
    if account is not None and not cleaned:
        _in_background(account.pk, sessions.delete_all)
        cleaned = not departure.has_sessions(account)
    departure.finish(member=member, cleaned=cleaned)


def _in_background(account_id: UUID, work: Callable[[Line], Awaitable[object]]) -> None:
    """Run some calls behind those of members, unless the account's others are still at it; the row stays due then.

    A failure is logged.
    """
    if not spacer.begin_work(account_id):
        return

    async def run() -> None:
        async with make_http() as http:
            await work(Line(account_id, http=http, slots=Spacer(), background=True))

    try:
        with database.repeating(lambda: spacer.renew_work(account_id), every_seconds=spacer.WORK_MS / 4000):
            asyncio.run(run())
    except TokenDead:
        log.info("no usable token for a call in the background", account=str(account_id))
    except GatewayError as error:
        log.warning("a call in the background failed", account=str(account_id), code=error.code)
    finally:
        spacer.end_work(account_id)
