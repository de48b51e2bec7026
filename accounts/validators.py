"""What an XJTLU username looks like."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _


@deconstructible
class XjtluUsernameValidator(RegexValidator):
    """As the school's sign-on takes it, `San.Zhang24`: no e-mail address, and no name with spaces."""

    regex = r"\A[A-Za-z0-9._-]+\Z"
    message = _(
        "Write it as at the school's sign-on, such as San.Zhang24: letters, digits, dots, hyphens and underscores only."
    )
