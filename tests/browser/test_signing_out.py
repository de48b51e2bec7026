"""After signing out the browser shows nothing more of what was seen."""

from __future__ import annotations

import pytest

from accounts.keys import key_issue
from accounts.models import Account, Member
from tests.browser.browser import Browser


@pytest.mark.parametrize("page", ["/dashboard/keys/", "/dashboard/usage/", "/dashboard/settings/"])
def test_back_shows_no_page_of_who_has_signed_out(browser: Browser, account: Account, page: str) -> None:
    key_issue(member=account.member, name="a key of Alice's")
    browser.sign_in(account.member)
    browser.open(page)
    browser.see("alice")
    browser.click("button", "Sign out")
    browser.at("/dashboard/sign-in/")
    browser.driver.back()
    browser.at("/dashboard/sign-in/")
    browser.see_gone("alice")


def test_back_shows_no_page_of_the_administration(browser: Browser, account: Account) -> None:
    browser.sign_in(Member.objects.create_superuser("boss"))
    browser.open("/admin/accounts/member/")
    browser.see("alice")
    browser.open("/dashboard/settings/")
    browser.click("button", "Sign out")
    browser.at("/dashboard/sign-in/")
    for _ in range(2):
        browser.driver.back()
        browser.at("/dashboard/sign-in/")
    browser.see_gone("alice")
