"""The story of a login: from the portal's first page to a captured token, as a loop over "which page is this".

Nothing here solves or evades a check (captcha, second factor, bot check): it says what is asked, and a second factor's
code may come from a person. A password is typed once in a login.

In a live login a person watches. Where the story would end because only a person may go on, it waits for them instead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

from selenium.common.exceptions import NoAlertPresentException, UnexpectedAlertPresentException

from tokens.capture import Capture
from tokens.chrome import BREAKS, BrowserSettings, Chrome, first_line, running_chrome
from tokens.errors import (
    ChromeFailed,
    LoginError,
    LoginFailed,
    LoginTimedOut,
    PasswordNeeded,
    PersonNeeded,
)
from tokens.network import Answer, Network, Request, host_and_port
from tokens.pages import Look, Page, PageReader, is_chat_address, which_page
from tokens.refusals import CLEAR_CODES, MAX_TEXT, refusal
from tokens.selectors import with_extra
from tokens.stores import cookies_for, restore_cookies, stored_token
from tokens.stores import sign_on_cookies as cookies_to_keep

__all__ = ["BrowserSettings", "Capture", "LoginWatcher", "PageCalls", "Viewer", "log_in"]

LOOK_SECONDS = 0.1
CLICK_AGAIN_SECONDS = 5.0
ANSWER_SECONDS = 0.5
STAY_SECONDS = 2.0
CODE_SECONDS = 10.0
PERSON_SECONDS = 5.0
QUIET_SECONDS = 0.5
MAX_SETTLING_SECONDS = 3.0
MAX_CODES = 3
SCREENSHOT_SHARE = 0.05


class PageCalls(Protocol):
    """Where the chat page's own calls to the school are accounted for."""

    def seen(self, unix_time: float) -> None:
        """The page made a call at `unix_time` (seconds)."""


class LoginWatcher(Protocol):
    """How a login tells its owner what happens. All of it is called on the thread that called `log_in`."""

    def step(self, name: str, detail: str = "") -> None:
        """A new step begins; both texts are for people and hold no secret."""

    def before_password(self) -> None:
        """The password is about to be submitted: the try is to be noted durably now."""

    def chat_page(self) -> AbstractContextManager[PageCalls]:
        """Held from before the chat page is opened until Chrome has ended; entering may wait for the account."""

    def chrome_started(self, process_group: int, scratch: Path) -> None:
        """What `end_chrome` needs to clean up, should this process die."""

    def ask_code(self, asked: str) -> str | None:
        """Return a second factor's code from a person, or None where nobody is there. `asked` is the page's text."""


class Viewer(Protocol):
    """The person of a live login, on the thread that called `log_in`."""

    def begin(self, chrome: Chrome) -> None:
        """Chrome runs; no page is open yet."""

    def check(self, url: str, requests: Sequence[Request]) -> None:
        """The window shows this. Raises LoginFailed where it has left the school. All requests so far are told."""

    def ask(self, asked: str, message: str = "") -> None:
        """What is asked of the person now; "" for nothing: then they neither see nor do anything."""

    def attend(self, document: float, seconds: float) -> None:
        """Show them the page and carry out their acts for so long. Raises PersonLeft."""

    def attend_dialog(self, seconds: float) -> None:
        """The same while a dialog of the page's own is open, and every command to Chrome raises."""

    def left(self) -> LoginError | None:
        """Why the person is no longer there, and Chrome may have been ended; None while they are."""


def log_in(
    *,
    portal_url: str,
    username: str,
    password: str | None,
    sign_on_cookies: Sequence[Mapping[str, Any]],
    watcher: LoginWatcher,
    browser: BrowserSettings,
    api_url: str | None = None,
    viewer: Viewer | None = None,
) -> Capture:
    """Log in with Chrome and return what the chat page's own calls carry.

    `sign_on_cookies` of an earlier login may make the password unnecessary; `api_url` overrides the captured API base.
    Raises LoginError (see errors.py), with a screenshot where there was a page to show, unless a `viewer` has seen it.
    When this returns or raises, no process of its Chrome is alive.
    """
    # The account's lane is left last, when Chrome can make no more calls.
    with ExitStack() as lane:
        watcher.step("starting Chrome")
        with running_chrome(browser, watcher.chrome_started) as chrome:
            login = _Login(chrome, browser, watcher, lane, portal_url, username, password, api_url, viewer)
            try:
                return login.run(sign_on_cookies)
            except LoginError as error:
                error.screenshot = login.screenshot() if viewer is None else None
                raise
            except BREAKS as error:
                raise login.broken(error) from None


class _Login:
    """One login's state: where it is, and what it has done already."""

    def __init__(
        self,
        chrome: Chrome,
        settings: BrowserSettings,
        watcher: LoginWatcher,
        lane: ExitStack,
        portal_url: str,
        username: str,
        password: str | None,
        api_url: str | None,
        viewer: Viewer | None,
    ) -> None:
        self._chrome = chrome
        self._driver = chrome.driver
        self._settings = settings
        self._watcher = watcher
        self._lane = lane
        self._portal_url = portal_url
        self._username = username
        self._password = password
        self._api_url = api_url.rstrip("/") if api_url else None
        self._viewer = viewer
        self._reader = PageReader(chrome.driver, with_extra(settings.extra_selectors))
        self._network = Network(chrome.driver)
        self._page_calls: PageCalls | None = None
        self._submitted: _Submission | None = None
        self._codes: list[_Submission] = []
        self._named = 0.0
        self._chat_opened = False
        self._clicked_at = 0.0
        self._last_step = ""
        self._shown: tuple[Page, str, float] = (Page.LOADING, "", 0.0)
        self._shown_since = time.monotonic()

    def run(self, cookies: Sequence[Mapping[str, Any]]) -> Capture:
        """Act on each page that comes, until the chat page has given its token."""
        self._network.listen()
        if self._viewer is not None:
            self._viewer.begin(self._chrome)
        restore_cookies(self._driver, cookies)
        self._step("opening the portal")
        self._driver.get(self._portal_url)
        acts: dict[Page, Callable[[Look], None]] = {
            Page.BROKEN: self._on_broken_page,
            Page.SIGN_ON: self._on_sign_on,
            Page.CAPTCHA: self._on_captcha,
            Page.CODE: self._on_code_page,
            Page.HOME: self._on_home,
            Page.START: self._on_start,
        }
        while True:
            try:
                look, page = self._next_page()
                if page is Page.READY or (self._has_waited() and self._network.token_requests()):
                    return self._capture(look)
                self._act(acts.get(page), page, look)
                self._rest(look)
            except UnexpectedAlertPresentException:
                self._on_dialog()

    def _act(self, act: Callable[[Look], None] | None, page: Page, look: Look) -> None:
        try:
            if act is not None:
                act(look)
            self._give_up_in_time(page, look)
        except (PersonNeeded, PasswordNeeded) as error:
            if self._viewer is None:
                raise
            self._viewer.ask(error.asked, error.message)

    def _rest(self, look: Look) -> None:
        """Between two looks; in a live login the person's time."""
        if self._viewer is None:
            time.sleep(LOOK_SECONDS)
        else:
            self._viewer.attend(look.document, LOOK_SECONDS)

    def _on_dialog(self) -> None:
        """A box that the page has opened: for the person, but where nothing is theirs to see."""
        self._stop_before_the_limit()
        if self._viewer is not None and self._page_calls is None:
            self._viewer.attend_dialog(LOOK_SECONDS)
        else:
            # It may have gone by itself.
            with suppress(NoAlertPresentException):
                self._driver.switch_to.alert.dismiss()

    def _next_page(self) -> tuple[Look, Page]:
        look = self._reader.look()
        if self._viewer is not None:
            self._viewer.check(look.url, self._network.requests)
        page = which_page(look, chat_opened=self._chat_opened)
        shown = (page, look.place, look.document)
        if shown != self._shown:
            self._shown = shown
            self._begin_waiting()
            if self._viewer is not None:
                # Another page: whether it asks anything is seen next.
                self._viewer.ask("")
        self._report_calls()
        return look, page

    def _step(self, name: str) -> None:
        """Tell the owner of a new step; what is tried again is no new step."""
        if name != self._last_step:
            self._last_step = name
            self._watcher.step(name)

    def _begin_waiting(self) -> None:
        self._shown_since = time.monotonic()

    def _has_waited(self) -> bool:
        return time.monotonic() - self._shown_since > self._settings.patience_seconds

    # Sign-on

    def _on_broken_page(self, look: Look) -> None:
        reason = re.search(r"\bERR_\w+", look.text)
        if reason is None and time.monotonic() - self._shown_since < STAY_SECONDS:
            # Chrome's own page of an error may still be writing it.
            return
        raise LoginFailed(f"Chrome could not open the page: {reason[0] if reason else 'no reason was given'}.")

    def _on_captcha(self, look: Look) -> None:
        if self._submitted:
            self._judge(look)
        elif self._viewer is not None and self._password is not None:
            self._fill_in_for_person(self._password)
        elif self._viewer is not None:
            self._fill_in_name(look)
        raise PersonNeeded("captcha", "The sign-on asks for a captcha.")

    def _fill_in_for_person(self, password: str) -> None:
        """The person solves what stands beside the form, and sends both."""
        if self._reader.type("username", self._username) and self._reader.type("password", password):
            self._watcher.before_password()
            self._submitted = _Submission(self._reader.look(), self._network.answers)

    def _fill_in_name(self, look: Look) -> None:
        """Once in each document: the person types the password, and may correct the name."""
        if self._named != look.document and self._reader.type("username", self._username):
            self._named = look.document
            self._reader.focus("password")

    def _on_sign_on(self, look: Look) -> None:
        if self._submitted:
            self._judge(look)
        elif self._password is None:
            if self._viewer is not None:
                self._fill_in_name(look)
            raise PasswordNeeded("The sign-on asks for the password, and none is stored.")
        else:
            self._fill_in_and_submit(self._password)

    def _fill_in_and_submit(self, password: str) -> None:
        self._step("typing the password")
        if not (self._reader.type("username", self._username) and self._reader.type("password", password)):
            # A page that is still being built loses what is typed: the next look begins again.
            return
        look = self._reader.look()
        if which_page(look) is not Page.SIGN_ON or "login_button" not in look.visible:
            return
        self._watcher.before_password()
        self._submitted = _Submission(look, self._network.answers)
        self._step("submitting the password")
        if not self._reader.click("login_button"):
            raise LoginFailed("The sign-on's button could not be clicked.")
        self._begin_waiting()

    def _judge(self, look: Look) -> None:
        """Raise what the sign-on has said since the submission, if it has said anything."""
        assert self._submitted is not None
        submitted = self._submitted
        text = look.error if submitted.is_new(look) else ""
        # The page's text may come a moment before the event that brings its code.
        patience = ANSWER_SECONDS if text and look.document == submitted.look.document else 0.0
        answer = self._answer(submitted, patience)
        if answer is not None and answer.passed:
            return
        code = answer.code if answer else ""
        if text or code in CLEAR_CODES or (code and self._stays_after(submitted)):
            raise self._refusal(code, self._clean((answer.text if answer else "") or text))

    def _stays_after(self, submission: _Submission) -> bool:
        """An answer that is no success may still lead on, to a second factor's page: it counts when the page stays."""
        submission.answered_at = submission.answered_at or time.monotonic()
        return time.monotonic() - submission.answered_at > STAY_SECONDS

    def _refusal(self, code: str, text: str) -> LoginError:
        if self._codes:
            return LoginFailed(f'The sign-on came back after the second factor: "{text}"')
        return refusal(code=code, text=text)

    def _answer(self, submission: _Submission, seconds: float) -> Answer | None:
        deadline = time.monotonic() + seconds
        while (answer := self._network.answer(after=submission.answers)) is None and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 5)
        return answer

    # Second factor

    def _on_code_page(self, look: Look) -> None:
        if self._viewer is not None:
            raise PersonNeeded("second factor", "The sign-on asks for a second factor.")
        if self._codes and not self._code_was_refused(self._codes[-1], look):
            return
        if len(self._codes) == MAX_CODES:
            raise PersonNeeded("second factor", f"The sign-on refused {MAX_CODES} codes of the second factor.")
        self._step("second factor")
        code = self._watcher.ask_code(self._clean(look.text) or "second factor")
        if not code:
            raise PersonNeeded("second factor", f'The sign-on asks for a second factor: "{self._clean(look.text)}"')
        self._submit_code(code.strip())

    def _submit_code(self, code: str) -> None:
        self._codes.append(_Submission(self._reader.look(), self._network.answers))
        if self._reader.type("code", code):
            self._step("submitting the code")
            self._reader.click("code_button")

    def _code_was_refused(self, submission: _Submission, look: Look) -> bool:
        answer = self._network.answer(after=submission.answers)
        if answer is not None and answer.code:
            return not answer.passed
        has_said = submission.is_new(look) and (look.error or look.document != submission.look.document)
        return bool(has_said) or time.monotonic() - submission.at > CODE_SECONDS

    # Portal

    def _on_home(self, look: Look) -> None:
        self._enter_lane()
        if self._may_click():
            self._step("opening the chat page")
            self._chat_opened = self._reader.click("chat_link")

    def _on_start(self, look: Look) -> None:
        self._enter_lane()
        if self._may_click():
            self._step("starting the chat page")
            self._reader.click("start_button")

    def _may_click(self) -> bool:
        """A page that is still being built may lose a click: it is repeated, but not while it may still act."""
        now = time.monotonic()
        if self._clicked_at >= self._shown_since and now - self._clicked_at < CLICK_AGAIN_SECONDS:
            return False
        self._clicked_at = now
        return True

    def _enter_lane(self) -> None:
        if self._page_calls is None:
            self._page_calls = self._lane.enter_context(self._watcher.chat_page())
            # The last calls are reported when Chrome has ended, just before the lane is left.
            self._lane.callback(self._report_calls)
            self._begin_waiting()

    def _report_calls(self) -> None:
        if self._page_calls is not None:
            for at in self._network.new_api_calls():
                self._page_calls.seen(at)

    # Token

    def _capture(self, look: Look) -> Capture:
        self._enter_lane()
        self._step("waiting for the token")
        request = self._token_request()
        token = request.token if request else stored_token(self._driver)
        # Nothing more is needed from this page, and each of its calls costs the account a slot.
        self._driver.get("about:blank")
        if not token:
            raise LoginFailed("The chat page opened, but neither its calls nor its stores held a token.")
        api_url = self._api_url or (request.api_base if request else None) or self._network.seen_api_base()
        if api_url is None:
            raise LoginFailed(
                "The chat page has a token but made no call that shows the API's address: set XIPU_API_URL."
            )
        return self._captured(token, api_url, request.headers if request else {}, look)

    def _captured(self, token: str, api_url: str, headers: Mapping[str, str], look: Look) -> Capture:
        self._step("token captured")
        portal = {host_and_port(self._portal_url), host_and_port(look.url)}
        return Capture(
            jm_token=token,
            sdp_app_session=headers.get("sdp-app-session", ""),
            cookies=cookies_for(self._driver, api_url),
            api_url=api_url,
            user_agent=headers.get("user-agent") or self._chrome.user_agent,
            origin="/".join(look.url.split("/")[:3]),
            sign_on_cookies=cookies_to_keep(
                self._driver, portal=portal, api_url=api_url, pages=self._network.page_origins()
            ),
        )

    def _token_request(self) -> Request | None:
        """Return the newest request with a token once the page has fallen quiet; None when none comes in time."""
        deadline = time.monotonic() + self._settings.patience_seconds
        while time.monotonic() < deadline:
            self._report_calls()
            requests = self._network.token_requests()
            if requests and _has_settled(requests):
                return requests[-1]
            self._stop_before_the_limit()
            time.sleep(LOOK_SECONDS)
        return next(reversed(self._network.token_requests()), None)

    # Ends

    def _give_up_in_time(self, page: Page, look: Look) -> None:
        self._stop_before_the_limit()
        if self._person_may_help(page, look):
            raise PersonNeeded("page", f"The login came no further than the {page.value} page {look.place}.")
        if page is Page.LOADING or not self._has_waited():
            return
        if page is Page.BLANK:
            raise PersonNeeded("bot check", f"{look.place} stayed blank, as it does for automated browsers.")
        if page is Page.CODE and self._codes:
            return
        answer = self._network.answer(after=0)
        if answer is not None and answer.code == "429":
            raise refusal(code="429", text="")
        raise LoginFailed(f"The login came no further than the {page.value} page {look.place}.")

    def _person_may_help(self, page: Page, look: Look) -> bool:
        """Whether a live login stands still. What the chat page shows is nobody's to see, not even here."""
        if self._viewer is None or time.monotonic() - self._shown_since < PERSON_SECONDS:
            return False
        was_at_chat = self._page_calls is not None or is_chat_address(look)
        return page in (Page.UNKNOWN, Page.SIGN_ON) and not was_at_chat

    def _stop_before_the_limit(self) -> None:
        """Stop a little before the hard limit, while there is still a page to show; a person has all of the time."""
        share = SCREENSHOT_SHARE if self._viewer is None else 0.0
        if self._chrome.seconds_left < self._settings.time_limit_seconds * share:
            raise LoginTimedOut(f"The login did not end within {self._settings.time_limit_seconds:g} s.")

    def broken(self, error: BaseException) -> LoginError:
        """Say what it means that Chrome broke off: it was ended by the person or at the time limit, or it failed."""
        if self._viewer is not None and (left := self._viewer.left()):
            return left
        if self._chrome.expired:
            return LoginTimedOut(f"The login did not end within {self._settings.time_limit_seconds:g} s.")
        return ChromeFailed(f"Chrome broke off: {self._clean(first_line(error))}")

    def screenshot(self) -> bytes | None:
        """Return a PNG of the page without what was typed; of a chat page, whose texts are private, only the layout."""
        try:
            is_private = self._page_calls is not None
            if self._reader.blank([self._username, self._password or ""], everything=is_private):
                return self._driver.get_screenshot_as_png()
        except BREAKS:
            # The picture is an extra: the error that it was to illustrate is already on its way.
            return None
        return None

    def _clean(self, text: str) -> str:
        """Cut a page's text to one short line without username and password."""
        line = " ".join(text.split())
        for secret in filter(None, (self._password, self._username)):
            line = re.sub(re.escape(secret), "…", line, flags=re.IGNORECASE)
        return line[:MAX_TEXT]


class _Submission:
    """What the page looked like when something was submitted, to tell what is new since then."""

    def __init__(self, look: Look, answers: int) -> None:
        self.look = look
        self.answers = answers
        self.at = time.monotonic()
        self.answered_at = 0.0

    def is_new(self, look: Look) -> bool:
        return look.document != self.look.document or look.error != self.look.error


def _has_settled(requests: Sequence[Request]) -> bool:
    now = time.monotonic()
    first, last = min(r.seen_at for r in requests), max(r.seen_at for r in requests)
    return now - last > QUIET_SECONDS or now - first > MAX_SETTLING_SECONDS
