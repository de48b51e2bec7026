from __future__ import annotations

import pytest

from tokens.chrome import BrowserSettings
from tokens.selectors import SELECTORS, with_extra


def test_both_generations_are_tried_together() -> None:
    assert {"#username_show", ".para-widget-account-psw__input--account input[type=text]"} <= set(SELECTORS["username"])


def test_extra_selectors_come_first() -> None:
    assert with_extra({"username": ["#new"]})["username"] == ["#new", *SELECTORS["username"]]


def test_other_fields_keep_their_selectors() -> None:
    assert with_extra({"username": ["#new"]})["password"] == list(SELECTORS["password"])


def test_a_field_that_does_not_exist_is_refused_when_the_settings_are_read() -> None:
    with pytest.raises(ValueError, match="usernam"):
        BrowserSettings(extra_selectors={"usernam": ["#new"]})
