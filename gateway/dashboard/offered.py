"""The models that a member's account was offered when the school was last asked."""

from __future__ import annotations

from accounts.models import Account, Member
from gateway import catalogue
from gateway.catalogue import Offer
from tokens.states import State, with_state


def account_of(member: Member) -> Account | None:
    return Account.objects.filter(member=member).first()


def offer_of(member: Member) -> Offer | None:
    """None where there is no account, or the school has not been asked yet."""
    account = account_of(member)
    return catalogue.stored(account.pk) if account else None


def models_are_coming(member: Member) -> bool:
    """Whether the first list is on its way: it is asked for as soon as a login has brought a token."""
    account = with_state(Account.objects.filter(member=member)).first()
    is_able = account is not None and account.state in (State.LOGGED_IN, State.LOGGING_IN)
    return is_able and offer_of(member) is None


def model_choices(member: Member) -> list[tuple[str, str]]:
    """Ids and labels, in the school's order."""
    offer = offer_of(member)
    return [(model.id, model.label) for model in offer.models] if offer else []
