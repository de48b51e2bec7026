"""The admin's page of many links and keys, which are shown once."""

from __future__ import annotations

from accounts.models import Member
from accounts.services import member_add
from tests.browser.browser import Browser

KEEP_WHAT_IS_SAVED = """
const address = URL.createObjectURL;
URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return address(blob); };
"""


def test_many_links_are_saved_as_csv_without_another_request(browser: Browser) -> None:
    boss = Member.objects.create_superuser("boss")
    names = [member_add(name=f"m{number}", xjtlu_username=f"M{number}").member.username for number in range(3)]
    browser.sign_in(boss)
    browser.open("/admin/accounts/account/")
    browser.click("#action-toggle")
    browser.choose("select[name='action']", "invite")
    browser.click("button", "Run")
    links = [each.text for each in browser.all(".handed code")] if browser.find(".handed code") else []
    requests = browser.script(f"{KEEP_WHAT_IS_SAVED} return performance.getEntriesByType('resource').length")
    browser.click("button", "Save all as CSV")
    saved = str(browser.until(lambda: browser.script("return window.saved"), "what is saved"))
    assert [line.split(",")[0] for line in saved.splitlines()[1:]] == names
    assert all(link in saved for link in links)
    assert browser.script("return performance.getEntriesByType('resource').length") == requests
