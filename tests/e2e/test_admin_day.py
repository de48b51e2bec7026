"""An admin's day at the pages, in a real Chromium at the whole installation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from selenium.webdriver.common.by import By

from tests.browser.browser import Browser
from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually
from tests.e2e.visits import PASSWORD, sign_in, steps, watch_login, watch_running_login

ACCOUNTS, USAGE = "/admin/accounts/account/", "/admin/gateway/usagerecord/"


@pytest.fixture
def admin(browser: Browser, stack: Stack) -> str:
    """The name of an admin, who is at the browser."""
    name = f"admin-{stack.person().name}"
    stack.desk(rows.make_admin, name)
    sign_in(browser, name, stack)
    return name


def open_account(browser: Browser, person: Person) -> None:
    browser.open(f"{ACCOUNTS}{person.account['id']}/change/")


@pytest.mark.usefixtures("member")
def test_an_admin_signs_in_by_the_form(browser: Browser, stack: Stack, admin: str) -> None:
    stack.desk(rows.choose_password, admin, PASSWORD)
    browser.sign_out()
    browser.open("/admin/")
    browser.at("/dashboard/sign-in/")
    browser.fill("#id_username", admin)
    browser.fill("#id_password", PASSWORD)
    browser.click("button", "Sign in")
    browser.at("/admin/")
    browser.see("Accounts that need a person")


@pytest.mark.usefixtures("admin")
def test_a_member_is_added_and_invited_by_a_link_that_is_shown_once(browser: Browser, stack: Stack) -> None:
    person = stack.person()
    browser.open("/admin/")
    browser.click("a", "Add a member")
    browser.fill("#id_name", person.name)
    browser.fill("#id_xjtlu_username", person.username)
    browser.click("[name='_save']")
    link = browser.find("code", "/dashboard/invitation/").text
    stack.secrets.add(link.split("/")[-2])
    browser.click("a", "Done")
    browser.see(person.username)
    assert link not in browser.driver.page_source
    browser.sign_out()
    browser.open(urlsplit(link).path)
    browser.see(f"Welcome, {person.name}")


@pytest.mark.usefixtures("admin")
def test_a_csv_is_looked_at_before_its_good_line_is_imported(
    browser: Browser, stack: Stack, member: Person, tmp_path: Path
) -> None:
    new, wrong = stack.person(), stack.person()
    file = tmp_path / "members.csv"
    lines = [f"{new.name},{new.username}", f"{member.name},{member.username}", f"{wrong.name},{member.username}"]
    file.write_text("\n".join(["name,xjtlu_username", *lines]))
    browser.open(f"{ACCOUNTS}import/")
    browser.driver.find_element(By.CSS_SELECTOR, "input[type='file']").send_keys(str(file))
    browser.click("button", "Look at the file")
    assert "new member" in browser.find("tr", new.name).text
    assert "exists already" in browser.find("tr", f"{member.name} {member.username}").text
    assert "error" in browser.find("tr", wrong.name).text
    browser.click("button", "Add 1 member")
    browser.see("1 member was added.")
    assert [stack.desk(rows.exists, each.name) for each in (new, wrong)] == [True, False]


@pytest.mark.usefixtures("admin")
def test_an_account_with_a_wrong_password_is_mended(browser: Browser, stack: Stack) -> None:
    person = stack.person()
    stack.add(person, password="not-the-password")
    eventually(person.last_login_ended, "the login with the wrong password")
    browser.open("/admin/")
    needy = browser.find(".needy li", person.username)
    assert "wrong password" in needy.text
    needy.find_element(By.PARTIAL_LINK_TEXT, "Set the password").click()
    browser.fill("#id_new_password", person.password)
    with stack.school.slow_sign_on():
        browser.click("[name='_continue']")
        assert watch_running_login(browser) == ["starting Chrome", "opening the portal"]
    watch_login(browser)
    assert len(steps(browser)) > 2
    # Without the page being loaded again.
    browser.find("#account-state .badge", "logged in")
    browser.open("/admin/")
    browser.see("Accounts that need a person")
    assert browser.all(".needy li", person.username) == []


@pytest.mark.usefixtures("admin")
def test_the_way_of_a_failed_request_is_found_by_its_id(browser: Browser, member: Person, school: BusySchool) -> None:
    school.fault("server_error", call="completions", user=member.username, times=None)
    with pytest.raises(openai.APIStatusError):
        member.ask("hello")
    record = member.closed_usage()[0]
    browser.open(USAGE)
    browser.fill("#searchbar", f"{record['request_id']}\n")
    browser.at(f"{USAGE}?q={record['request_id']}")
    browser.click("#result_list tbody th a")
    browser.see("Who must act: the school.")
    browser.see(record["error_code"])
    assert [each.text for each in browser.all(".timeline .stage")][-1] == "Failed"


@pytest.mark.usefixtures("admin")
def test_an_account_is_paused_and_resumed(browser: Browser, member: Person) -> None:
    open_account(browser, member)
    browser.click("button", "Pause")
    browser.see("paused. Requests are refused")
    with pytest.raises(openai.PermissionDeniedError):
        member.ask("hello")
    browser.click("button", "Resume")
    browser.find("button", "Pause")
    assert member.ask("[[sim text=fine]]") == "fine"


def test_the_audit_tells_who_did_what_and_cannot_be_edited(browser: Browser, admin: str, member: Person) -> None:
    open_account(browser, member)
    browser.click("button", "Pause")
    browser.see("paused. Requests are refused")
    browser.open(f"/admin/accounts/auditentry/?q={admin}")
    entry = browser.find("#result_list tbody tr")
    assert admin in entry.text
    assert "Paused." in entry.text
    assert member.username in entry.text
    browser.click("#result_list tbody th a")
    browser.see("Paused.")
    assert browser.all("[name='_save'], [name='_continue'], #content-main input, #content-main textarea") == []
    assert "Delete" not in browser.words
    browser.expect("403")
    browser.open("/admin/accounts/auditentry/add/")
    assert browser.all("form input:not([type='hidden'])") == []


@pytest.mark.usefixtures("admin")
def test_the_front_page_draws_its_charts(browser: Browser, member: Person) -> None:
    member.ask("[[sim text=fine]]")
    browser.open("/admin/")
    charts = browser.all("canvas[data-chart]")
    assert len(charts) >= 3
    browser.until(lambda: all(is_drawn(browser, chart) for chart in charts), "the charts")


def is_drawn(browser: Browser, canvas: object) -> bool:
    pixels = "arguments[0].getContext('2d').getImageData(0, 0, arguments[0].width, arguments[0].height).data"
    return bool(browser.script(f"return {pixels}.some((part) => part > 0)", canvas))


@pytest.mark.usefixtures("admin")
def test_a_key_issued_in_the_admin_works(browser: Browser, stack: Stack, member: Person) -> None:
    open_account(browser, member)
    browser.click("button", "Issue a key")
    member.api_key = browser.find("#key-1").text
    assert member.ask("[[sim text=fine]]") == "fine"
