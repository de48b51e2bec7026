"""The admin's front page while things happen."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import Account, Member
from gateway.models import UpstreamSession
from tests.browser.browser import Browser
from tokens.models import LoginAttempt, Trigger


def session(account: Account, school_id: int) -> None:
    until = timezone.now() + timedelta(hours=1)
    UpstreamSession.objects.create(account=account, school_id=school_id, lease_until=until)


def test_what_is_of_the_moment_moves_and_the_focus_stays(browser: Browser, account: Account) -> None:
    session(account, 1)
    browser.sign_in(Member.objects.create_superuser("boss"))
    browser.open("/admin/")
    browser.find("#work progress[value='1']")
    browser.script("document.querySelector('#work .link').focus()")
    session(account, 2)
    LoginAttempt.objects.create(account=account, trigger=Trigger.PERSON)
    browser.find("#work progress[value='2']")
    browser.find("#logins", "1 open")
    assert browser.script("return document.activeElement.id") == f"busy-{account.pk}"


def test_a_session_that_ended_meanwhile_leads_to_the_sign_in(browser: Browser) -> None:
    browser.sign_in(Member.objects.create_superuser("boss"))
    browser.open("/admin/")
    browser.find("#work")
    browser.sign_out()
    browser.at("/dashboard/sign-in/?next=/admin/")
