"""The one page on which the text of a new API key, or an invitation's link, is seen."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts import invitations
from accounts.keys import KeyRefused, key_issue
from accounts.models import ApiKey, Invitation, Member
from accounts.reach import is_within_reach
from gateway import mail
from gateway.admin.base import note
from gateway.admin.buttons import Button
from gateway.admin.outcomes import Outcomes
from gateway.usage.exports import defused

INVITED = gettext_noop("Made an invitation link.")
ISSUED = gettext_noop("Issued an API key.")
ENDS_OLD_LINK = gettext_lazy("A link that was given before still works. A fresh one ends it: give the new one then.")


@dataclass(frozen=True)
class IssuedKey:
    """A new key with its text, for one answer."""

    key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True)
class Invited:
    """A new invitation with its link, for one answer."""

    invitation: Invitation
    link: str = field(repr=False)
    mailed: bool = False

    @property
    def member(self) -> Member | None:
        return self.invitation.member

    @property
    def mailing(self) -> str:
        """Whether it was mailed, and why not."""
        email = self.member.email if self.member else ""
        if self.mailed:
            return _("mailed to %(email)s") % {"email": email}
        return _("not mailed: mail is not set up") if email else _("not mailed: no e-mail address")


def issue(request: HttpRequest, members: Iterable[Member]) -> list[IssuedKey]:
    """A key for each; a message names those who get none, and why."""
    with Outcomes(request) as outcomes:
        return [each for member in members if (each := _issue(request, member, outcomes)) is not None]


def may_hand_over(request: HttpRequest, member: Member, outcomes: Outcomes) -> bool:
    """What opens a staff member's administration is for admins alone to see."""
    if is_within_reach(request.user, member):
        return True
    outcomes.refuse(member, _("staff, for whom only an admin may make keys and invitations."))
    return False


def may_invite(request: HttpRequest) -> bool:
    return request.user.has_perm("accounts.add_invitation")


def may_issue(request: HttpRequest) -> bool:
    return request.user.has_perm("accounts.add_apikey")


def invite_button(member: Member) -> Button:
    """The action `invite`; it asks first where it would end a link that works."""
    return Button("invite", "mail", confirm=ENDS_OLD_LINK if invitations.is_invited(member) else "")


def invite(request: HttpRequest, members: Iterable[Member]) -> list[Invited]:
    """A fresh link for each, mailed where that can be; a message names those who get none, and why."""
    with Outcomes(request) as outcomes:
        return [each for member in members if (each := _invite(request, member, outcomes)) is not None]


def handover_page(
    request: HttpRequest,
    *,
    back: str,
    title: str = "",
    issued: Sequence[IssuedKey] = (),
    invited: Sequence[Invited] = (),
    lead: str = "",
) -> TemplateResponse:
    """The answer to the POST that made them. No cache keeps it, and no other page can show them."""
    context = {
        **admin.site.each_context(request),
        "title": title or (_("New API keys") if issued else _("Invitations")),
        "issued": issued,
        "invited": invited,
        "lead": lead,
        "back": back,
        "csv": _csv(issued, invited),
        "number": len(issued) + len(invited),
    }
    page = TemplateResponse(request, "admin/accounts/handover.html", context)
    page["Cache-Control"] = "no-store"
    return page


def _csv(issued: Sequence[IssuedKey], invited: Sequence[Invited]) -> str:
    """All that the page shows, for its button that saves it."""
    text = io.StringIO()
    lines: list[tuple[object, ...]] = [(_("Member"), _("What"), _("Link or key"), _("Mail"))]
    lines += [(each.member, _("Invitation"), each.link, each.mailing) for each in invited]
    lines += [(each.key.member, each.key.name, each.text, "") for each in issued]
    csv.writer(text, lineterminator="\n").writerows([defused(str(cell)) for cell in line] for line in lines)
    return text.getvalue()


def _issue(request: HttpRequest, member: Member, outcomes: Outcomes) -> IssuedKey | None:
    if not may_hand_over(request, member, outcomes):
        return None
    try:
        key, text = key_issue(member=member)
    except KeyRefused as refused:
        outcomes.refuse(member, str(refused))
        return None
    note(request, ISSUED, key)
    return IssuedKey(key, text)


def _invite(request: HttpRequest, member: Member, outcomes: Outcomes) -> Invited | None:
    actor = request.user
    assert isinstance(actor, Member)
    if not may_hand_over(request, member, outcomes):
        return None
    if member.leaving_at is not None or not member.is_active:
        outcomes.refuse(member, _("cannot sign in, so no invitation was made."))
        return None
    invitation, secret = invitations.invitation_make(member=member, created_by=actor)
    note(request, INVITED, member)
    link = invitations.link(request, secret)
    return Invited(invitation, link, mailed=_mail(member, link, invitation))


def _mail(member: Member, link: str, invitation: Invitation) -> bool:
    """Whether the link is mailed: once it is stored, since its reader may be quick."""
    if not mail.can_reach(member.email):
        return False
    send = partial(
        mail.mail_send,
        to=member.email,
        subject=gettext_lazy("Your invitation to XIPU Gateway"),
        template="invitation",
        context={"member": member, "name": member.username, "link": link, "expires_at": invitation.expires_at},
    )
    transaction.on_commit(send, robust=True)
    return True
