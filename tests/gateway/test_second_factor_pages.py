"""After the password comes the code: before it no page, no administration, no management API."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import AuditEntry, Member, SecondFactor
from accounts.second_factor import factor_of, secret_of
from tests.accounts.test_second_factor import code_of, set_up, wrong

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_step")]
PASSWORD = "quiet-harbour-7"
FACTOR = "/dashboard/second-factor/"
SET_UP, OFF, NEW_CODES = f"{FACTOR}set-up/", f"{FACTOR}off/", f"{FACTOR}recovery-codes/"
SETTINGS = "/dashboard/settings/"
RECOVERY_CODE = re.compile(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}")


@pytest.fixture
def alice() -> Member:
    return Member.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def guest() -> Client:
    return Client()


def sign_in(guest: Client, to: str = "") -> Any:
    return guest.post("/dashboard/sign-in/", {"username": "alice", "password": PASSWORD, "next": to}, follow=True)


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


# Giving it


@pytest.mark.parametrize("page", [SETTINGS, "/admin/", "/dashboard/welcome/", "/", OFF, NEW_CODES, SET_UP])
def test_the_password_alone_opens_no_page(guest: Client, alice: Member, page: str) -> None:
    set_up(alice)
    Member.objects.update(is_staff=True, is_superuser=True)
    sign_in(guest)
    assert guest.get(page).headers["location"] == f"{FACTOR}?{urlencode({'next': page})}"
    assert guest.post(page).headers["location"] == f"{FACTOR}?next=%2Fdashboard%2F"


def test_with_the_code_the_page_that_was_asked_for_opens(guest: Client, alice: Member) -> None:
    factor, _ = set_up(alice)
    page = sign_in(guest, SETTINGS)
    assert page.redirect_chain[-1][0].startswith(FACTOR)
    assert f'name="next" value="{SETTINGS}"' in text(page)
    answer = guest.post(FACTOR, {"code": code_of(factor), "next": SETTINGS})
    assert answer.headers["location"] == SETTINGS
    assert guest.get(SETTINGS).status_code == 200


def test_the_session_gets_a_new_key_with_the_code(guest: Client, alice: Member) -> None:
    factor, _ = set_up(alice)
    sign_in(guest)
    before = guest.session.session_key
    guest.post(FACTOR, {"code": code_of(factor)})
    assert guest.session.session_key != before


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example"])
def test_another_site_is_never_next(guest: Client, alice: Member, elsewhere: str) -> None:
    factor, _ = set_up(alice)
    sign_in(guest)
    answer = guest.post(FACTOR, {"code": code_of(factor), "next": elsewhere})
    assert answer.headers["location"] == "/dashboard/"


def test_a_wrong_code_lets_nobody_in_and_a_recovery_code_does(guest: Client, alice: Member) -> None:
    factor, codes = set_up(alice)
    sign_in(guest)
    assert "This code is not right" in text(guest.post(FACTOR, {"code": wrong(factor)}))
    assert guest.get(SETTINGS).status_code == 302
    guest.post(FACTOR, {"code": codes[0]})
    assert guest.get(SETTINGS).status_code == 200


def test_the_wait_after_wrong_codes_is_told_in_words(guest: Client, alice: Member) -> None:
    factor, _ = set_up(alice)
    SecondFactor.objects.update(throttling_failure_count=9, throttling_failure_timestamp=timezone.now())
    sign_in(guest)
    answer = text(guest.post(FACTOR, {"code": code_of(factor)}))
    assert "There were many wrong codes before. Wait 5 minutes" in answer


def test_few_recovery_codes_are_warned_of(guest: Client, alice: Member) -> None:
    factor, codes = set_up(alice)
    factor.recovery_codes.filter(pk__gt=factor.recovery_codes.earliest("pk").pk + 1).update(used_at=timezone.now())
    sign_in(guest)
    assert "You have 1 recovery code left." in text(
        guest.post(FACTOR, {"code": codes[0], "next": SETTINGS}, follow=True)
    )


def test_a_session_from_before_has_to_give_the_code_too(guest: Client, alice: Member) -> None:
    sign_in(guest)
    assert guest.get(SETTINGS).status_code == 200
    set_up(alice)
    assert guest.get(SETTINGS).status_code == 302


def test_a_program_hears_of_it_as_json(guest: Client, alice: Member) -> None:
    set_up(alice)
    sign_in(guest)
    answer = guest.get("/api/me/", headers={"accept": "*/*"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "second_factor_required"


def test_a_part_of_a_page_leads_the_whole_page_there(guest: Client, alice: Member) -> None:
    set_up(alice)
    sign_in(guest)
    answer = guest.get(SETTINGS, headers={"hx-request": "true"})
    assert answer.headers["hx-redirect"] == FACTOR


def test_signing_out_and_the_language_stay_within_reach(guest: Client, alice: Member) -> None:
    set_up(alice)
    sign_in(guest)
    assert guest.post("/dashboard/language/", {"language": "zh-hans", "next": FACTOR}).headers["location"] == FACTOR
    assert guest.post("/dashboard/sign-out/").headers["location"] == "/dashboard/sign-in/"


# Demanded of staff


def test_staff_set_one_up_first_where_it_is_demanded(guest: Client, alice: Member, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    Member.objects.update(is_staff=True, is_superuser=True)
    assert sign_in(guest, "/admin/").redirect_chain[-1][0].startswith(SET_UP)
    factor = SecondFactor.objects.get()
    page = guest.post(SET_UP, {"code": code_of(factor), "next": "/admin/"})
    assert 'href="/admin/"' in text(page)
    assert guest.get("/admin/").status_code == 200


# Setting it up


def signed_in(guest: Client, alice: Member) -> SecondFactor:
    """A session that has given everything."""
    factor, _ = set_up(alice)
    sign_in(guest)
    guest.post(FACTOR, {"code": code_of(factor)})
    factor.refresh_from_db()
    return factor


def test_setting_up_shows_qr_code_and_secret_and_then_recovery_codes_once(guest: Client, alice: Member) -> None:
    sign_in(guest)
    page = guest.get(SET_UP)
    factor = SecondFactor.objects.get()
    assert '<svg class="qr" viewBox="0 0 ' in text(page)
    assert f'data-copy-text="{secret_of(factor)}"' in text(page)
    assert "style=" not in text(page)
    answer = guest.post(SET_UP, {"code": code_of(factor)})
    assert len(set(RECOVERY_CODE.findall(text(answer)))) == 10
    assert "no-store" in answer.headers["cache-control"]
    assert guest.get(SETTINGS).status_code == 200
    assert AuditEntry.objects.get().action == "Turned the second factor on."


def test_a_wrong_code_at_set_up_keeps_the_same_secret_on_the_page(guest: Client, alice: Member) -> None:
    sign_in(guest)
    guest.get(SET_UP)
    factor = SecondFactor.objects.get()
    page = text(guest.post(SET_UP, {"code": wrong(factor)}))
    assert "This code is not right" in page
    assert secret_of(factor) in page
    assert factor_of(alice) is None


def test_what_is_set_up_is_not_shown_again(guest: Client, alice: Member) -> None:
    factor = signed_in(guest, alice)
    answer = guest.get(SET_UP)
    assert answer.headers["location"] == SETTINGS
    assert secret_of(factor) not in text(guest.get(SETTINGS))


# Turning it off, new codes


@pytest.mark.parametrize("page", [OFF, NEW_CODES])
def test_neither_goes_without_a_proof(guest: Client, alice: Member, page: str) -> None:
    factor = signed_in(guest, alice)
    assert "This is not your password." in text(guest.post(page, {"proof": "no-password"}))
    SecondFactor.objects.update(throttling_failure_count=0)
    assert "This code is not right" in text(guest.post(page, {"proof": wrong(factor)}))
    assert factor_of(alice) == factor


@pytest.mark.parametrize("with_code", [True, False])
def test_it_is_turned_off_by_a_code_or_the_password(guest: Client, alice: Member, with_code: bool) -> None:
    factor = signed_in(guest, alice)
    SecondFactor.objects.update(last_step=0)
    guest.post(OFF, {"proof": code_of(factor) if with_code else PASSWORD})
    assert factor_of(alice) is None
    assert guest.get(SETTINGS).status_code == 200


def test_new_recovery_codes_replace_the_old(guest: Client, alice: Member) -> None:
    factor = signed_in(guest, alice)
    before = set(factor.recovery_codes.values_list("digest", flat=True))
    answer = guest.post(NEW_CODES, {"proof": PASSWORD})
    assert len(RECOVERY_CODE.findall(text(answer))) == 10
    assert not before & set(factor.recovery_codes.values_list("digest", flat=True))


def test_wrong_passwords_as_proof_end_at_the_lock(guest: Client, alice: Member) -> None:
    signed_in(guest, alice)
    answers = [text(guest.post(OFF, {"proof": "no-password"})) for _ in range(9)]
    assert "Wait a quarter of an hour" in answers[-1]
    assert "Wait a quarter of an hour" in text(guest.post(OFF, {"proof": PASSWORD}))
