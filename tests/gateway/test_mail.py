"""Mail: sent beside the page, in the reader's language or in both, and no trouble for who asked for it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail as django_mail
from django.utils.translation import gettext_lazy
from pytest_django import Settings

from gateway import mail
from tests.conftest import until

CONTEXT = {"name": "alice & bob", "link": "https://gateway.example.org/x/?a=1&b=2", "days": 3}


@pytest.fixture(autouse=True)
def server(settings: Settings) -> Iterator[None]:
    settings.EMAIL_URL = "smtp://mail.example.org"
    yield
    until(lambda: mail._room._value == mail.MOST_WAITING, "the end of all mails")


def send(**changed: Any) -> bool:
    fields: dict[str, Any] = {"to": "alice@example.org", "subject": "Hello", "template": "password_reset"}
    return mail.mail_send(**{**fields, "context": CONTEXT, **changed})


def test_a_mail_arrives_as_plain_text() -> None:
    assert send(language="en")
    until(lambda: django_mail.outbox, "the mail")
    message = django_mail.outbox[0]
    assert (message.to, message.subject) == (["alice@example.org"], "Hello")
    assert "Hello alice & bob," in str(message.body)
    assert str(CONTEXT["link"]) in str(message.body)


def test_a_reader_of_unknown_language_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def rendered(template: str, context: dict[str, Any]) -> str:
        return str(gettext_lazy("Password"))

    monkeypatch.setattr(mail, "render_to_string", rendered)
    send(subject=gettext_lazy("Yes"))
    until(lambda: django_mail.outbox, "the mail")
    assert django_mail.outbox[0].body == "Password\n\n----\n\n密码\n"
    assert django_mail.outbox[0].subject == "Yes · 是"


def test_a_subject_is_one_line() -> None:
    send(subject="Hello\nBcc: everybody@example.org")
    until(lambda: django_mail.outbox, "the mail")
    assert django_mail.outbox[0].subject == "Hello Bcc: everybody@example.org"


@pytest.mark.parametrize(("url", "to"), [("", "alice@example.org"), ("smtp://mail.example.org", "")])
def test_without_server_or_address_nothing_is_sent(settings: Settings, url: str, to: str) -> None:
    settings.EMAIL_URL = url
    assert not send(to=to)


@pytest.mark.parametrize("error", [smtplib.SMTPAuthenticationError(535, b"no"), ConnectionRefusedError(), ValueError()])
def test_trouble_with_the_server_is_not_the_sender_s(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    tried: list[object] = []

    def fail(message: object) -> None:
        tried.append(message)
        raise error

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fail)
    assert send()
    until(lambda: tried, "a try")


def test_a_server_that_is_away_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail._room, "acquire", lambda blocking: False)
    assert not send()
