"""An account becomes another XJTLU user's: nothing that was kept of the former user stays."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.services import username_change
from gateway.models import Catalogue, UpstreamSession
from tokens.models import LoginAttempt, UpstreamToken


def is_other_user(account: Account, xjtlu_username: str) -> bool:
    """The school does not tell upper case from lower case."""
    return account.username.casefold() != xjtlu_username.casefold()


def refuse_if_in_use(*, account: Account) -> None:
    """Raise `ValidationError` while the former user is logging in, or has sessions that only they can delete."""
    if LoginAttempt.objects.filter(account=account, ended_at=None).exists():
        raise ValidationError(_("A login of the present XJTLU user is running. Try again when it has ended."))
    if UpstreamSession.objects.filter(account=account).exists():
        raise ValidationError(
            _(
                "The present XJTLU user has sessions of the gateway at the school, which only this user can delete. "
                "Remove the member, then add them again with the other XJTLU username."
            )
        )


@transaction.atomic
def rename(*, account: Account, xjtlu_username: str) -> None:
    """Give the account its XJTLU username. Another user's password, cookies, token and models are erased.

    Raises `ValidationError` as `refuse_if_in_use`, and where the username is taken.
    """
    other = is_other_user(account, xjtlu_username)
    if other:
        refuse_if_in_use(account=account)
        UpstreamToken.objects.filter(account=account).delete()
        Catalogue.objects.filter(account=account).delete()
    username_change(account=account, xjtlu_username=xjtlu_username, same_user=not other)
