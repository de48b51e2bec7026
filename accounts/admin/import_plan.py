"""What an import would do, in words: a sentence for all of it, and what follows from each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.importing import Line, Verdict
from gateway import mail


class Gift(TextChoices):
    """What new members get."""

    INVITATION = "invitation", gettext_lazy("an invitation link, mailed if possible")
    KEY = "key", gettext_lazy("an API key")
    NOTHING = "nothing", gettext_lazy("nothing for now")


@dataclass(frozen=True)
class Planned:
    """A line of the file and what follows from it."""

    line: Line
    follows: list[str]


class Plan:
    """What would happen now to the lines, with what the members shall get."""

    def __init__(self, lines: Sequence[Line], give: str) -> None:
        self._give = give
        self._new = [line for line in lines if line.verdict is Verdict.NEW]
        self._existing = [line for line in lines if line.verdict is Verdict.EXISTS]
        self.wrong = sum(line.verdict is Verdict.WRONG for line in lines)
        self.lines = [Planned(line, list(self._follows(line))) for line in lines]

    @property
    def new(self) -> int:
        return len(self._new)

    @property
    def summary(self) -> list[str]:
        """Sentences, of which those about nobody are left out."""
        told = [_added(self.new), *self._gifts(), self._logins(), *self._left()]
        return [*filter(None, told), _("Nothing has been written yet.")]

    def _gifts(self) -> Iterator[str]:
        if self._give == Gift.KEY and self.new:
            yield _("Each gets an API key, which you hand over.")
        if self._give == Gift.INVITATION and self.new:
            mailed = sum(map(_is_mailed, self._new))
            told = {"mailed": mailed, "others": self.new - mailed}
            yield _("Each gets an invitation link: %(mailed)d by mail, %(others)d for you to hand over.") % told

    def _logins(self) -> str:
        number = sum(line.has_password for line in self._new)
        told = ngettext(
            "%(n)d has a password and logs in at the school at once.",
            "%(n)d have a password and log in at the school at once.",
            number,
        )
        return told % {"n": number} if number else ""

    def _left(self) -> Iterator[str]:
        if number := len(self._existing):
            told = ngettext(
                "%(n)d exists already and stays as it is.", "%(n)d exist already and stay as they are.", number
            )
            yield told % {"n": number}
        if self.wrong:
            told = ngettext(
                "%(n)d line with an error is left out: correct it and import the file again.",
                "%(n)d lines with an error are left out: correct them and import the file again.",
                self.wrong,
            )
            yield told % {"n": self.wrong}

    def _follows(self, line: Line) -> Iterator[str]:
        if line.verdict is Verdict.NEW:
            yield from filter(None, (self._gift(line), _("Logs in at once.") if line.has_password else ""))
        elif line.verdict is Verdict.EXISTS:
            yield (
                _("Stays as it is; the password given here is ignored.") if line.has_password else _("Stays as it is.")
            )
        else:
            yield line.problem

    def _gift(self, line: Line) -> str:
        if self._give == Gift.KEY:
            return _("Gets an API key, which you hand over.")
        if self._give == Gift.NOTHING:
            return ""
        if _is_mailed(line):
            return _("Gets an invitation link by mail.")
        reason = _("no e-mail is sent by this gateway") if line.email else _("no e-mail address")
        return _("Gets an invitation link, which you hand over: %(reason)s.") % {"reason": reason}


def _added(number: int) -> str:
    return ngettext("%(n)d member is added.", "%(n)d members are added.", number) % {"n": number}


def _is_mailed(line: Line) -> bool:
    return mail.can_reach(line.email)
