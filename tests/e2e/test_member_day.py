"""A member's day at the pages, in a real Chromium at the whole installation."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import httpx
import openai
import pytest

from tests.browser.browser import Browser
from tests.e2e import rows
from tests.e2e.stack import BusySchool, Person, Stack, eventually
from tests.e2e.visits import (
    PASSWORD,
    accept,
    download,
    invited,
    let_scripts_read_cookies,
    new_key,
    open_chat_at_school,
    press_bookmark,
    sign_in,
    slide,
    steps,
    watch_login,
    watch_running_login,
)
from tests.school import MODEL


def status(stack: Stack, api_key: str) -> int:
    """What a program with this key gets for the list of models."""
    return httpx.get(f"{stack.url}v1/models", headers={"authorization": f"Bearer {api_key}"}, timeout=60).status_code


@pytest.fixture
def signed_in(browser: Browser, stack: Stack, member: Person) -> Person:
    """A member whose account works, at the browser."""
    sign_in(browser, member.name, stack)
    return member


class TestFirstMinutes:
    def test_an_invited_member_watches_the_login_step_by_step(self, browser: Browser, stack: Stack) -> None:
        person, path = invited(stack)
        with stack.school.slow_sign_on():
            accept(browser, path, xjtlu_password=person.password)
            shown = watch_running_login(browser)
        watch_login(browser)
        assert steps(browser)[: len(shown)] == shown == ["starting Chrome", "opening the portal"]
        assert len(steps(browser)) > len(shown)
        assert person.is_logged_in()

    def test_the_first_key_is_shown_once_beside_the_card_of_the_members_client(
        self, browser: Browser, stack: Stack
    ) -> None:
        person, path = invited(stack)
        stack.desk(rows.import_token, person.name, stack.school.token(person.username))
        accept(browser, path)
        browser.click("button", "Cherry Studio")
        api_key = new_key(browser, stack)
        card = browser.find("#client-cherry-studio").text
        assert browser.base.rstrip("/") in card
        assert api_key in card
        assert status(stack, api_key) == 200
        browser.open("/dashboard/welcome/")
        browser.see("You have an API key already")
        assert api_key not in browser.driver.page_source

    def test_an_invitation_opens_once(self, browser: Browser, stack: Stack) -> None:
        _person, path = invited(stack)
        accept(browser, path)
        browser.expect("410")
        browser.open(path)
        browser.see("was used")

    def test_a_member_signs_out_and_in_by_the_form(self, browser: Browser, stack: Stack, signed_in: Person) -> None:
        stack.desk(rows.choose_password, signed_in.name, PASSWORD)
        sign_in(browser, signed_in.name, stack)
        browser.open("/dashboard/")
        browser.click("button", "Sign out")
        browser.at("/dashboard/sign-in/")
        browser.open("/dashboard/keys/")
        browser.at("/dashboard/sign-in/?next=")
        browser.fill("#id_username", signed_in.name)
        browser.fill("#id_password", PASSWORD)
        browser.click("button", "Sign in")
        browser.at("/dashboard/keys/")


class TestAccount:
    def test_a_slider_is_answered_with_the_mouse_in_the_live_view(self, browser: Browser, stack: Stack) -> None:
        person = stack.person(check="slider")
        stack.add(person, password=person.password)
        eventually(person.last_login_ended, "the login in the background")
        sign_in(browser, person.name, stack)
        browser.open("/dashboard/account/")
        browser.see("The login needs you.")
        browser.click("button", "Open the live login")
        slide(browser)
        browser.see("You are logged in.")
        browser.click("a", "Back to the account")
        browser.see("Your account is healthy.")

    def test_a_token_is_handed_over_by_the_bookmarklet(self, browser: Browser, stack: Stack) -> None:
        person, _path = invited(stack)
        sign_in(browser, person.name, stack)
        browser.open("/dashboard/account/")
        browser.see("Your account is logged out.")
        bookmark = browser.find("[data-bookmark]").get_attribute("href") or ""
        open_chat_at_school(browser, person)
        let_scripts_read_cookies(browser, stack.school.url)
        press_bookmark(browser, bookmark)
        browser.see("The portal has handed this token over")
        assert person.username in browser.find("[data-handover-user]").text
        browser.click("button", "Use this token")
        browser.see("The school takes it.")
        browser.click("a", "Go to the account")
        browser.see("You are logged in, but not for long.")

    def test_a_token_whose_cookie_no_page_can_read_is_refused_with_the_reason(
        self, browser: Browser, stack: Stack
    ) -> None:
        person, _path = invited(stack)
        sign_in(browser, person.name, stack)
        browser.open("/dashboard/account/")
        bookmark = browser.find("[data-bookmark]").get_attribute("href") or ""
        open_chat_at_school(browser, person)
        press_bookmark(browser, bookmark)
        browser.click("button", "Use this token")
        browser.see("It may want a cookie that no page can read")

    def test_a_changed_password_is_typed_and_the_login_is_watched(self, browser: Browser, stack: Stack) -> None:
        person = stack.person()
        stack.add(person)
        sign_in(browser, person.name, stack)
        browser.open("/dashboard/account/")
        browser.fill("#id_xjtlu_password", person.password)
        browser.click("button", "Store and log in")
        watch_login(browser)
        browser.see("Your account is healthy.")


class TestPlayground:
    @pytest.fixture(autouse=True)
    def _open(self, browser: Browser, signed_in: Person) -> None:
        browser.open("/dashboard/playground/")

    def ask(self, browser: Browser, prompt: str) -> None:
        browser.choose("#chat-model", MODEL)
        browser.fill("#chat-text", prompt)
        browser.click("button", "Send")

    def test_words_appear_while_the_answer_runs(self, browser: Browser, school: BusySchool) -> None:
        self.ask(browser, '[[sim text="streamed words" hold]]')
        browser.find(".theirs", "streamed")
        assert "words" not in browser.find(".theirs").text
        school.release()
        browser.find(".theirs", "streamed words")
        browser.find("button", "Send")

    def test_an_answer_is_stopped(self, browser: Browser, school: BusySchool, signed_in: Person) -> None:
        self.ask(browser, '[[sim text="much too long" hold]]')
        browser.find(".theirs", "much")
        browser.click("button", "Stop")
        browser.find(".theirs", "Stopped.")
        school.until(user=signed_in.username, ended="client_left")
        assert "too long" not in browser.find(".theirs").text

    def test_reasoning_is_folded_until_it_is_opened(self, browser: Browser) -> None:
        self.ask(browser, '[[sim reasoning="step by step" text="so it is"]]')
        browser.find(".theirs", "so it is")
        browser.find("button", "Send")
        assert "step by step" not in browser.find(".theirs").text
        browser.click(".theirs summary", "Reasoning")
        browser.find(".theirs", "step by step")

    def test_a_chat_of_the_playground_stands_in_the_log(self, browser: Browser, signed_in: Person) -> None:
        self.ask(browser, "[[sim text=fine]]")
        browser.find(".theirs", "fine")
        signed_in.closed_usage()
        browser.click("nav a", "Usage log")
        row = browser.find("table.log tbody tr")
        assert MODEL in row.text
        assert "done" in row.text.lower()


class TestLog:
    @pytest.fixture
    def chats(self, signed_in: Person) -> list[str]:
        """The ids of a chat that went well and one that the filter refused."""
        signed_in.ask("[[sim text=fine]]")
        with pytest.raises(openai.BadRequestError):
            signed_in.ask("forbidden-word")
        return [row["request_id"] for row in signed_in.closed_usage()]

    def test_the_timeline_of_a_failure_says_who_must_act(self, browser: Browser, chats: list[str]) -> None:
        browser.open("/dashboard/usage/")
        browser.click("tr a")
        browser.at(f"/dashboard/usage/{chats[1]}/")
        browser.see("content filter refused")
        browser.find("dd", "you")
        assert browser.find(".timeline .stage").text == "Key accepted"

    def test_the_log_is_exported_as_csv(self, browser: Browser, chats: list[str], tmp_path: Path) -> None:
        browser.open("/dashboard/usage/")
        lines = list(csv.DictReader(download(browser, tmp_path, "Export as CSV", "csv").splitlines()))
        assert {line["request_id"]: line["status"] for line in lines} == {chats[0]: "done", chats[1]: "failed"}

    def test_what_is_filtered_is_exported_as_json_lines(
        self, browser: Browser, chats: list[str], tmp_path: Path
    ) -> None:
        browser.open("/dashboard/usage/")
        browser.choose("#id_status", "failed")
        browser.until(lambda: len(browser.all("table.log tbody tr")) == 1, "the filtered log")
        lines = download(browser, tmp_path, "Export as JSON lines", "jsonl").splitlines()
        assert [json.loads(line)["request_id"] for line in lines] == [chats[1]]


class TestKeys:
    def test_after_a_rotation_both_keys_work(self, browser: Browser, stack: Stack, signed_in: Person) -> None:
        browser.open("/dashboard/keys/")
        browser.click("a", "Rotate")
        browser.click("button", "Rotate the key")
        new = new_key(browser, stack)
        assert new != signed_in.api_key
        assert [status(stack, key) for key in (signed_in.api_key, new)] == [200, 200]
        browser.click("a", "I have copied it")
        browser.find("tr", "Being replaced")

    def test_a_revoked_key_opens_nothing(self, browser: Browser, stack: Stack, signed_in: Person) -> None:
        assert status(stack, signed_in.api_key) == 200
        browser.open("/dashboard/keys/")
        browser.click("a", "Revoke")
        browser.click("button", "Revoke the key")
        browser.see("was revoked")
        assert status(stack, signed_in.api_key) == 401

    def test_a_new_key_works_at_once(self, browser: Browser, stack: Stack, signed_in: Person) -> None:
        browser.open("/dashboard/keys/")
        browser.click("a", "Create a key")
        browser.fill("#id_name", "laptop")
        browser.click("button", "Create the key")
        assert status(stack, new_key(browser, stack)) == 200

    def test_the_check_of_a_client_passes(self, browser: Browser, signed_in: Person) -> None:
        browser.open("/dashboard/connect/")
        browser.click("[data-client]", "OpenAI SDK for Python")
        browser.click("#client-python button", "Check the connection")
        browser.see("All calls passed")
        assert [each.get_attribute("class") for each in browser.all("#client-python [data-call]")] == ["passed"] * 3


class TestTaste:
    def test_the_language_is_changed_to_chinese(self, browser: Browser, signed_in: Person) -> None:
        browser.open("/dashboard/")
        browser.click(".switches button", "简体中文")
        browser.until(lambda: browser.script("return document.documentElement.lang") == "zh-hans", "Chinese")
        menu = browser.find("nav").text
        assert re.search("[\u4e00-\u9fff]", menu)
        assert "Overview" not in menu

    def test_the_theme_is_changed_to_dark_and_back(self, browser: Browser, signed_in: Person) -> None:
        browser.open("/dashboard/")
        light = ground(browser)
        browser.click("[data-theme-switch]")
        browser.click("[data-theme-switch]")
        dark = ground(browser)
        assert sum(dark) < sum(light)
        browser.open("/dashboard/keys/")
        assert ground(browser) == dark
        browser.click("[data-theme-switch]")
        assert ground(browser) == light


def ground(browser: Browser) -> tuple[int, ...]:
    """The colour on which the page stands: red, green, blue."""
    colour = browser.script("return getComputedStyle(document.body).backgroundColor")
    return tuple(int(part) for part in re.findall(r"\d+", colour)[:3])
