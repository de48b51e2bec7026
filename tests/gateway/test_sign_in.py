"""Signing in and out, the lock after wrong passwords, a new password by mail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEntry, Member
from tests.conftest import until

pytestmark = pytest.mark.django_db
PASSWORD, OTHER = "quiet-harbour-7", "loud-mountain-8"
SIGN_IN, RESET = "/dashboard/sign-in/", "/dashboard/password-reset/"
SETTINGS = "/dashboard/settings/"


@pytest.fixture
def guest() -> Client:
    return Client()


@pytest.fixture
def alice() -> Member:
    return Member.objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def mails(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://mail.example.org"


def sign_in(guest: Client, password: str = PASSWORD, name: str = "alice", **data: str) -> Any:
    return guest.post(SIGN_IN, {"username": name, "password": password, **data})


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def card(answer: Any) -> str:
    """What the page says, without what was typed and the CSRF token."""
    return re.sub(r'value="[^"]*"', "", text(answer).partition('<section class="card">')[2].partition("</section>")[0])


def test_name_and_password_lead_to_the_overview(guest: Client, alice: Member) -> None:
    assert sign_in(guest).headers["location"] == "/dashboard/"
    assert guest.session["_auth_user_id"] == str(alice.pk)


def test_a_page_asked_for_before_is_shown_after(guest: Client, alice: Member) -> None:
    asked = guest.get(SETTINGS)
    assert asked.headers["location"] == f"{SIGN_IN}?next={SETTINGS}"
    assert f'name="next" value="{SETTINGS}"' in text(guest.get(asked.headers["location"]))
    assert sign_in(guest, next=SETTINGS).headers["location"] == SETTINGS


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_another_site_is_never_next(guest: Client, alice: Member, elsewhere: str) -> None:
    assert sign_in(guest, next=elsewhere).headers["location"] == "/dashboard/"


def test_who_is_signed_in_need_not_sign_in_again(guest: Client, alice: Member) -> None:
    guest.force_login(alice)
    assert guest.get(SIGN_IN).headers["location"] == "/dashboard/"
    assert guest.get(f"{SIGN_IN}?next={SIGN_IN}").status_code == 200


def test_signing_out_takes_a_post(guest: Client, alice: Member) -> None:
    guest.force_login(alice)
    assert guest.get("/dashboard/sign-out/").status_code == 405
    guest.post("/dashboard/sign-out/")
    assert "_auth_user_id" not in guest.session


def test_wrong_answers_do_not_tell_who_is_a_member(guest: Client, alice: Member) -> None:
    Member.objects.create_user("switched-off", password=PASSWORD, is_active=False)
    Member.objects.create_user("not-yet-here")
    names = ("alice", "switched-off", "not-yet-here", "nobody-at-all")
    assert len({card(sign_in(guest, OTHER, name)) for name in names}) == 1


def test_after_eight_wrong_passwords_the_page_says_how_long_to_wait(guest: Client, alice: Member) -> None:
    for _ in range(7):
        assert sign_in(guest, OTHER).status_code == 200
    assert sign_in(guest, OTHER).status_code == 429
    answer = sign_in(guest)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert "Wait 15 minutes, then try again." in text(answer)
    assert 'name="password"' in text(answer)


def test_the_lock_speaks_chinese(guest: Client, alice: Member) -> None:
    for _ in range(8):
        answer = guest.post(SIGN_IN, {"username": "alice", "password": OTHER}, headers={"accept-language": "zh-CN"})
    assert answer.status_code == 429
    assert '<html lang="zh-hans">' in text(answer)


def test_the_lock_is_for_one_name_from_one_address(guest: Client, alice: Member) -> None:
    Member.objects.create_user("bob", password=PASSWORD)
    for _ in range(8):
        sign_in(guest, OTHER)
    assert sign_in(guest, name="bob").status_code == 302
    assert Client(REMOTE_ADDR="192.0.2.9").post(SIGN_IN, {"username": "alice", "password": PASSWORD}).status_code == 302


def guess(number: int, *, name: str, address: str) -> int:
    """A wrong password; what the page answers."""
    answer = Client(REMOTE_ADDR=address).post(SIGN_IN, {"username": name, "password": f"{OTHER}{number}"})
    return int(answer.status_code)


def test_one_machines_ipv6_addresses_are_one(alice: Member) -> None:
    answers = [guess(n, name="alice", address=f"2001:db8::{n:x}") for n in range(1, 10)]
    assert answers == [200] * 7 + [429] * 2
    assert guess(0, name="alice", address="2001:db8:0:1::1") == 200


def test_an_ipv4_address_is_itself_however_it_is_written(alice: Member) -> None:
    answers = [guess(n, name="alice", address=f"::ffff:192.0.2.{n}") for n in range(1, 10)]
    assert answers == [200] * 9


def test_one_password_is_not_tried_on_every_member(guest: Client, alice: Member) -> None:
    answers = [guess(0, name=f"member{n}", address="192.0.2.9") for n in range(40)]
    assert answers == [200] * 31 + [429] * 9
    assert "from your network" in text(
        Client(REMOTE_ADDR="192.0.2.9").post(SIGN_IN, {"username": "x", "password": "y"})
    )
    assert sign_in(guest).status_code == 302


def test_one_name_is_not_guessed_from_everywhere(guest: Client, alice: Member) -> None:
    answers = [guess(n, name="alice", address=f"192.0.2.{n}") for n in range(40)]
    assert answers == [200] * 31 + [429] * 9
    assert sign_in(guest).status_code == 429


@pytest.mark.parametrize("by_name", [True, False])
def test_strangers_do_not_lock_out_a_browser_that_the_member_knows(guest: Client, alice: Member, by_name: bool) -> None:
    sign_in(guest)
    guest.post("/dashboard/sign-out/")
    for n in range(40):
        guess(n, name="alice" if by_name else f"member{n}", address=f"192.0.2.{n}" if by_name else "127.0.0.1")
    assert sign_in(Client()).status_code == 429
    assert sign_in(guest, name="member1").status_code == (200 if by_name else 429)
    assert [sign_in(guest, OTHER).status_code for _ in range(8)] == [200] * 7 + [429]
    AccessAttempt.objects.filter(username="alice", ip_address="127.0.0.1").delete()
    assert sign_in(guest).status_code == 302


def test_the_cookie_of_a_known_browser_does_not_name_the_member(guest: Client, alice: Member) -> None:
    cookie = sign_in(guest).cookies["known_browser"]
    assert "alice" not in cookie.value
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_lock_is_not_prolonged_while_it_holds(guest: Client, alice: Member) -> None:
    for _ in range(8):
        sign_in(guest, OTHER)
    before = AccessAttempt.objects.values_list("attempt_time", "failures_since_start").get()
    sign_in(guest, OTHER)
    assert AccessAttempt.objects.values_list("attempt_time", "failures_since_start").get() == before


def test_who_signs_in_clears_no_failures_of_others(guest: Client, alice: Member) -> None:
    sign_in(guest, OTHER)
    guess(0, name="bob", address="127.0.0.1")
    guess(0, name="alice", address="192.0.2.9")
    sign_in(guest)
    assert set(AccessAttempt.objects.values_list("username", "ip_address")) == {
        ("bob", "127.0.0.1"),
        ("alice", "192.0.2.9"),
    }


def test_no_password_is_written_down_when_it_was_wrong(guest: Client, alice: Member) -> None:
    sign_in(guest, OTHER)
    guest.force_login(alice)
    change = {"old_password": OTHER, "new_password1": "third-river-9", "new_password2": "third-river-9"}
    guest.post(SETTINGS, {"form": "password", **change})
    attempts = str(list(AccessAttempt.objects.values()))
    assert AccessAttempt.objects.get().failures_since_start == 2
    assert OTHER not in attempts
    assert "third-river-9" not in attempts


@pytest.mark.usefixtures("mails")
def test_a_forgotten_password_is_replaced_by_mail(guest: Client, alice: Member) -> None:
    for _ in range(8):
        sign_in(guest, OTHER)
    assert guest.post(RESET, {"email": "ALICE@example.org"}).headers["location"] == f"{RESET}sent/"
    until(lambda: mail.outbox, "the mail")
    link = re.findall(r"http://testserver(/\S+)", str(mail.outbox[0].body))[0]
    page = guest.get(link, follow=True)
    guest.post(page.redirect_chain[-1][0], {"new_password1": OTHER, "new_password2": OTHER})
    assert sign_in(guest, OTHER).status_code == 302
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name"))
    assert actions == [("Asked for a new password by mail.", "visitor"), ("Chose a new password by mail.", "alice")]
    assert guest.get(link).status_code == 200
    assert "does not work any more" in text(Client().get(link))


@pytest.mark.usefixtures("mails")
def test_asking_for_a_new_password_does_not_tell_who_is_a_member(guest: Client, alice: Member) -> None:
    answers = [guest.post(RESET, {"email": f"{name}@example.org"}, follow=True) for name in ("alice", "nobody")]
    assert card(answers[0]) == card(answers[1]) != ""
    until(lambda: mail.outbox, "the mail")
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]


def ask_reset(email: str, address: str = "127.0.0.1") -> str:
    """What the page says."""
    return card(Client(REMOTE_ADDR=address).post(RESET, {"email": email}, follow=True))


@pytest.mark.usefixtures("mails")
def test_a_member_gets_one_mail_in_five_minutes(alice: Member) -> None:
    answers = {ask_reset("alice@example.org", address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")}
    assert len(answers) == 1
    AuditEntry.objects.update(at=timezone.now() - timedelta(minutes=5))
    ask_reset("alice@example.org")
    until(lambda: len(mail.outbox) == 2, "the second mail")
    assert AuditEntry.objects.count() == 2


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize("address", ["192.0.2.9", "2001:db8::{n:x}"])
def test_one_address_asks_for_few_mails_an_hour(address: str) -> None:
    for n in range(22):
        Member.objects.create_user(f"member{n}", f"member{n}@example.org", PASSWORD)
    answers = {ask_reset(f"member{n}@example.org", address.format(n=n + 1)) for n in range(21)}
    assert len(answers) == 1
    assert AuditEntry.objects.count() == 20
    ask_reset("member21@example.org", "198.51.100.1")
    assert AuditEntry.objects.count() == 21


def test_without_mail_the_page_says_whom_to_ask(guest: Client) -> None:
    answer = text(guest.get(RESET))
    assert "Ask its admin for a fresh invitation link" in answer
    assert 'name="email"' not in answer


def test_a_form_from_before_signing_in_is_refused_in_words(alice: Member) -> None:
    careful = Client(enforce_csrf_checks=True)
    answer = careful.post(SIGN_IN, {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 403
    assert "load the page anew and send the form again" in text(answer)
