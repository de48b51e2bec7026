"""Mail to members: plain text, and only where GATEWAY_EMAIL_URL names a server.

A mail is sent by a thread of the process that has something to say. So a slow server holds neither a page nor a login,
how long the answer to a password reset takes tells nobody whether the member exists, and the secret of a link never
passes through the broker. What a crash loses in that moment can be asked for again on the page that sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import override

SENDERS = 2
MOST_WAITING = 2000
"""Mails of a process that wait for their server, some kilobytes each: room for the largest import. More are dropped, as
a server that is away must not fill memory.
"""

log = structlog.get_logger(__name__)
_senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="mail")
_room = BoundedSemaphore(MOST_WAITING)


def is_configured() -> bool:
    """Whether mail can be sent at all."""
    return bool(settings.EMAIL_URL)


def can_reach(to: str) -> bool:
    """Whether mail can be sent to this address, which may be empty."""
    return is_configured() and bool(to)


def mail_send(
    *, to: str, subject: str | Promise, template: str, context: Mapping[str, Any], language: str | None = None
) -> bool:
    """Send `templates/mail/<template>.txt` to one address; whether it was handed to a sender.

    False where no mail is configured, the address is empty or too many mails wait. Trouble with the server is logged,
    never raised. `language` is the reader's, if known; else the mail says everything in each language, for which
    `subject` has to be a lazy translation.
    """
    if not can_reach(to):
        return False
    if not _room.acquire(blocking=False):
        log.warning("mail_dropped", template=template)
        return False
    _senders.submit(_send, _message(to, subject, template, context, language), template)
    return True


def _message(
    to: str, subject: str | Promise, template: str, context: Mapping[str, Any], language: str | None
) -> EmailMessage:
    languages = [language] if language else [code for code, _ in settings.LANGUAGES]
    subjects, bodies = [], []
    for each in languages:
        with override(each):
            subjects.append(" ".join(str(subject).split()))
            bodies.append(render_to_string(f"mail/{template}.txt", dict(context)).strip())
    return EmailMessage(" · ".join(dict.fromkeys(subjects)), _joined(bodies), to=[to])


def _joined(bodies: list[str]) -> str:
    """Each text once: where a language has no translation yet, it says the same as the first."""
    return "\n\n----\n\n".join(dict.fromkeys(bodies)) + "\n"


def _send(message: EmailMessage, template: str) -> None:
    try:
        message.send()
        log.info("mail_sent", template=template)
    except (OSError, ValueError) as error:
        log.warning("mail_not_sent", template=template, reason=type(error).__name__)
    finally:
        _room.release()
