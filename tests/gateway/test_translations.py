"""What `make messages` collects, and what it calls a fault."""

from __future__ import annotations

import gettext
import io

import pytest
from babel.messages.catalog import Message
from django.test import Client

from tests import messages


def ids(source: str, *, template: bool = False) -> list[messages.Ids]:
    found = messages.template_strings(source, "x") if template else messages.python_strings(source.encode(), "x")
    return [each.ids for each in found]


@pytest.mark.parametrize(
    ("source", "string"),
    [
        ('_("One" " string")', "One string"),
        ('gettext_noop("Later")', "Later"),
        ('gettext_lazy("Name")', "Name"),
        ('ngettext("%(n)d key", "%(n)d keys", n)', ("%(n)d key", "%(n)d keys")),
        ('ngettext_lazy("a", "b", n)', ("a", "b")),
        ('pgettext_lazy("verb", "Log in")', "Log in"),
    ],
)
def test_strings_of_python_are_collected(source: str, string: messages.Ids) -> None:
    assert ids(source) == [string]


@pytest.mark.parametrize(
    ("source", "string"),
    [
        ('  <p>\n {% translate "It\'s here" %}</p>\n   </div>', "It's here"),
        (
            "{% blocktranslate trimmed with n=x %}\n  You have\n  {{ n }} keys.\n{% endblocktranslate %}",
            "You have %(n)s keys.",
        ),
        ("{% blocktranslate count n=x %}key{% plural %}keys{% endblocktranslate %}", ("key", "keys")),
        ('{% include "x.html" with label=_("Usage log") %}', "Usage log"),
    ],
)
def test_strings_of_templates_are_collected(source: str, string: messages.Ids) -> None:
    assert ids(source, template=True) == [string]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (Message("Sign in", ""), "is not translated"),
        (Message("Sign in", "登录", flags={"fuzzy"}), "is fuzzy"),
        (Message("%(name)s is revoked.", "已吊销。"), "has other placeholders or tags in its translation"),
        (Message("<b>Now</b>", "现在"), "has other placeholders or tags in its translation"),
        (Message(("%(n)d key", "%(n)d keys"), ("密钥",)), "has other placeholders or tags in its translation"),
    ],
)
def test_faults_of_a_translation_are_named(message: Message, fault: str) -> None:
    assert list(messages.faults(message)) == [fault]


def test_a_good_translation_has_no_fault() -> None:
    assert list(messages.faults(Message(("one key", "%(n)d keys"), ("%(n)d 个密钥",)))) == []


def test_a_translation_stays_with_its_string_and_leaves_with_it() -> None:
    old = messages.merged(
        [messages.Found("Keys", None, (), "a.py"), messages.Found("Gone", None, (), "a.py")], messages.Chinese()
    )
    old["Keys"].string = "密钥"
    new = messages.merged([messages.Found("Keys", None, (), "b.py")], old)
    assert [(message.id, message.string) for message in new if message.id] == [("Keys", "密钥")]


def test_what_is_compiled_depends_on_the_strings_alone() -> None:
    book = messages.merged([messages.Found("Keys", None, (), "a.py")], messages.Chinese())
    book["Keys"].string = "密钥"
    assert gettext.GNUTranslations(io.BytesIO(messages.as_mo(book))).gettext("Keys") == "密钥"
    assert b"Date" not in messages.as_mo(book)


def test_pages_speak_the_language_that_the_browser_asks_for(db: None) -> None:
    page = Client().get("/dashboard/sign-in/", headers={"accept-language": "zh-CN"})
    assert 'lang="zh-hans"' in page.content.decode()
    assert "登录" in page.content.decode()
