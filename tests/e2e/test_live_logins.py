"""Logins that need a person: the member answers the school in the live view, through real sockets and a real Chrome."""

from __future__ import annotations

import pytest

from tests.e2e import live_rows, rows
from tests.e2e.stack import Person, Stack, eventually
from tests.e2e.viewers import HANDLE, LiveView, PageOf


@pytest.fixture
def asked_for_slider(stack: Stack) -> Person:
    """A member whose login in the background met a slider."""
    person = stack.person(check="slider")
    stack.add(person, password=person.password)
    eventually(person.last_login_ended, "the login in the background")
    return person


@pytest.fixture
def page(asked_for_slider: Person) -> PageOf:
    return PageOf(asked_for_slider)


def slide(person: Person, view: LiveView) -> None:
    picture, handle = view.wait_for(HANDLE)
    view.drag(picture, handle, by=person.at_school["slider_target"])


def test_a_member_slides_the_captcha_and_is_logged_in(asked_for_slider: Person, page: PageOf) -> None:
    tries = asked_for_slider.at_school["password_tries"]
    view = page.open_live()
    slide(asked_for_slider, view)
    eventually(asked_for_slider.is_logged_in, "the token")
    attempt = page.person.stack.desk(live_rows.live_attempt, asked_for_slider.name)
    assert (attempt["outcome"], attempt["asked"], attempt["has_secret"]) == ("captured", "", False)
    assert "asking a person" in attempt["steps"]
    assert asked_for_slider.at_school["password_tries"] == tries + 1
    assert asked_for_slider.account["login_block"] == ""
    eventually(view.is_closed, "the end of the view")


def end_of(person: Person) -> dict[str, object]:
    """The live login, once it has ended and its Chrome is gone."""
    eventually(person.last_login_ended, "the end of the live login")
    chromes = person.stack.root / "tmp"
    eventually(lambda: not list(chromes.glob("xipu-chrome-*")), "the end of its Chrome")
    return person.stack.desk(live_rows.live_attempt, person.name)


def test_a_member_types_the_code_of_a_second_factor(stack: Stack) -> None:
    person = stack.person(check="second_factor")
    stack.add(person, password=person.password)
    eventually(person.last_login_ended, "the login in the background")
    view = PageOf(person).open_live()
    view.picture()
    eventually(lambda: stack.desk(live_rows.live_attempt, person.name)["asked"] == "second factor", "the question")
    view.send(type="size", width=480, height=600)
    picture = view.picture()
    while picture.width != 480:
        picture = view.picture()
    # The one field of the page lies in the middle of it.
    x, y = 240 / picture.width, 230 / picture.height
    view.send(type="press", x=x, y=y)
    view.send(type="release", x=x, y=y)
    for digit in person.at_school["second_factor_code"]:
        view.send(type="text", text=digit)
    view.send(type="key", name="Enter")
    eventually(person.is_logged_in, "the token")
    assert person.account["login_block"] == ""


def test_leaving_ends_the_login_and_its_chrome(asked_for_slider: Person, page: PageOf) -> None:
    view = page.open_live()
    view.wait_for(HANDLE)
    view.socket.close()
    attempt = end_of(asked_for_slider)
    assert (attempt["outcome"], attempt["has_screenshot"]) == ("failed", False)
    assert attempt["message"] == "The person who watched this login has left it."
    assert asked_for_slider.account["login_block"] == "needs_you"
    assert asked_for_slider.account["password_tries"] == 1


def test_the_stop_button_ends_it_at_once(asked_for_slider: Person, page: PageOf) -> None:
    view = page.open_live()
    view.wait_for(HANDLE)
    view.send(type="stop")
    attempt = end_of(asked_for_slider)
    assert attempt["message"] == "The person who asked for this login stopped it."


def test_a_live_login_that_nobody_looks_at_ends(asked_for_slider: Person, page: PageOf) -> None:
    page.post("/dashboard/account/live/")
    attempt = end_of(asked_for_slider)
    assert attempt["message"] == "Nobody opened the live view of this login."


def test_a_wrong_password_ends_a_live_login_at_once(stack: Stack) -> None:
    person = stack.person()
    stack.add(person, password="not-" + person.password)
    eventually(person.last_login_ended, "the refusal")
    # The password that the school has refused is not typed again, not even with a person there.
    view = PageOf(person).open_live()
    view.picture()
    assert stack.desk(live_rows.live_attempt, person.name)["asked"] == "password"
    assert person.at_school["password_tries"] == 1
    view.send(type="stop")
    end_of(person)
    assert person.account["login_block"] == "wrong_password"


def test_a_login_without_a_check_shows_no_picture_at_all(stack: Stack) -> None:
    person = stack.person()
    stack.add(person)
    stack.desk(live_rows.store_password, person.name, person.password)
    view = PageOf(person).open_live()
    eventually(person.is_logged_in, "the token")
    eventually(view.is_closed, "the end of the view")
    assert view.pictures == 0


def test_a_second_press_leads_to_the_same_live_login(asked_for_slider: Person, page: PageOf) -> None:
    first = page.open_live()
    assert page.open_live()
    first.send(type="stop")
    end_of(asked_for_slider)
    assert len(asked_for_slider.logins) == 2


def test_frames_and_acts_are_neither_logged_nor_stored(asked_for_slider: Person, page: PageOf, stack: Stack) -> None:
    view = page.open_live()
    view.wait_for(HANDLE)
    view.send(type="text", text="typed-by-a-person")
    # Acts are carried out in their order: a picture of another size proves that Chrome has got the text.
    view.send(type="size", width=700, height=600)
    while view.picture().width != 700:
        continue
    view.send(type="stop")
    end_of(asked_for_slider)
    logs = "".join(log.read_text(errors="replace") for log in (stack.root / "logs").glob("*.log"))
    assert "typed-by-a-person" not in logs + stack.desk(rows.dump)
    assert asked_for_slider.password not in logs
