"""The page of a live login, with this test in the place of its worker."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from accounts import crypto
from accounts.models import Account
from tests.browser.axe import barriers
from tests.browser.browser import DESKTOP, PHONE, Browser
from tokens.live import asking as live
from tokens.live.wire import DIAL_HEADER, Dialog, Said
from tokens.models import LoginAttempt

RECEIVE_SECONDS = 60


class Worker:
    """What a live login's worker does: it shows, says and hears."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, said: Said) -> None:
        self.connection.send(msgspec.json.encode(said).decode())

    def show(self) -> None:
        picture = io.BytesIO()
        Image.new("RGB", (640, 400), "white").save(picture, "jpeg")
        self.connection.send(picture.getvalue())

    def heard(self, kind: str) -> dict[str, Any]:
        """The next act of a kind."""
        while (act := json.loads(self.connection.recv(timeout=RECEIVE_SECONDS)))["type"] != kind:
            pass
        return dict(act)


@pytest.fixture
def attempt(browser: Browser, account: Account, monkeypatch: pytest.MonkeyPatch) -> LoginAttempt:
    """A live login that runs and asks its member for a second factor; their page is open."""
    monkeypatch.setattr("celery.current_app.send_task", lambda *args, **kwargs: None)
    made = live.live_ask(account=account, web_url=browser.base.replace("http", "ws", 1))
    LoginAttempt.objects.filter(pk=made.pk).update(started_at=timezone.now(), asked="second factor")
    browser.sign_in(account.member)
    browser.open(f"/dashboard/account/live/{made.pk}/")
    browser.see("Enter the code in the picture")
    return made


@pytest.fixture
def worker(attempt: LoginAttempt) -> Iterator[Worker]:
    secret = crypto.unseal(attempt, "live_secret")
    with connect(attempt.live_url, additional_headers={DIAL_HEADER: secret}, proxy=None) as connection:
        worker = Worker(connection)
        worker.heard("here")
        yield worker


def has_focus(browser: Browser, selector: str) -> bool:
    return bool(browser.script("return document.activeElement.matches(arguments[0])", selector))


def is_shown(browser: Browser, selector: str) -> bool:
    return bool(browser.script("return document.querySelector(arguments[0]).checkVisibility()", selector))


def test_a_question_of_the_page_is_answered(browser: Browser, worker: Worker) -> None:
    worker.say(Said(dialog=Dialog(1, "confirm", "Send an SMS?")))
    browser.see("Send an SMS?")
    # Not its button: somebody may be typing.
    browser.until(lambda: has_focus(browser, "[data-live-dialog]"), "the focus")
    browser.click("button", "Cancel")
    assert worker.heard("answer") == {"type": "answer", "number": 1, "accept": False, "text": ""}
    browser.see_gone("Send an SMS?")


def test_a_prompt_takes_what_is_written(browser: Browser, worker: Worker) -> None:
    worker.say(Said(dialog=Dialog(2, "prompt", "The code?", "12")))
    browser.until(lambda: has_focus(browser, "#live-dialog-input"), "the focus")
    browser.fill("#live-dialog-input", "3456\n")
    assert worker.heard("answer") == {"type": "answer", "number": 2, "accept": True, "text": "3456"}


def test_a_question_that_is_over_goes_by_itself(browser: Browser, worker: Worker) -> None:
    worker.say(Said(dialog=Dialog(3, "alert", "Wait for the SMS.")))
    browser.see("Wait for the SMS.")
    assert not browser.find("[data-live-dialog]").text.count("Cancel")
    worker.say(Said())
    browser.see_gone("Wait for the SMS.")


def test_a_page_that_is_wide_is_moved_sideways(browser: Browser, worker: Worker) -> None:
    worker.show()
    browser.find("[data-live-canvas]")
    assert not is_shown(browser, "[data-live-wide]")
    worker.say(Said(is_wide=True))
    browser.click("button", "Right")
    assert worker.heard("wheel") == {"type": "wheel", "x": 0.5, "y": 0.5, "dx": 300, "dy": 0}


def test_a_password_is_typed_unseen(browser: Browser, worker: Worker) -> None:
    browser.click("[data-live-mask]")
    assert browser.find("[data-live-mask]").get_attribute("aria-pressed") == "true"
    assert browser.find("#live-text").value_of_css_property("-webkit-text-security") == "disc"
    browser.fill("#live-text", "open sesame\n")
    assert worker.heard("text") == {"type": "text", "text": "open sesame"}


def test_a_browser_that_closes_leaves_no_picture(browser: Browser, worker: Worker) -> None:
    worker.show()
    browser.find("[data-live-canvas]")
    worker.connection.close()
    browser.see("The gateway’s browser has closed.")
    assert not is_shown(browser, "[data-live-canvas]")


def test_who_is_signed_out_elsewhere_is_led_to_the_sign_in(browser: Browser, worker: Worker) -> None:
    # The progress beside the picture asks once more before it believes it.
    browser.expect("403")
    Session.objects.all().delete()
    browser.at("/dashboard/sign-in/?next=")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_no_barriers_while_it_asks(
    browser: Browser, worker: Worker, axe: str, size: tuple[int, int], theme: str
) -> None:
    browser.size(*size)
    browser.theme(theme)
    worker.show()
    worker.say(Said(dialog=Dialog(1, "prompt", "The code?", "12"), is_wide=True))
    browser.see("The code?")
    browser.find("[data-live-canvas]")
    assert barriers(browser, axe) == []
    assert browser.overflow() <= 0
