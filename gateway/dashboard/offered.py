"""The models that a member's account was offered when the school was last asked."""

from __future__ import annotations

from accounts.models import Account, Member
from gateway import catalogue
from gateway.catalogue import Offer


def account_of(member: Member) -> Account | None:
    return Account.objects.filter(member=member).first()


def offer_of(member: Member) -> Offer | None:
    """None where there is no account, or the school has not been asked yet."""
    account = account_of(member)
    return catalogue.stored(account.pk) if account else None


def model_choices(member: Member) -> list[tuple[str, str]]:
    """Ids and labels, in the school's order."""
    offer = offer_of(member)
    return [(model.id, model.label) for model in offer.models] if offer else []
