"""What a live login's Chrome may do: show the sign-on and the portal, in one window. A person has hands in it, and it
stands in our network: it must be of no use for anything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from selenium.common.exceptions import NoSuchWindowException, WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.errors import LoginFailed
from tokens.live.places import Place, allowed_places, is_allowed, may_be_shown, place_of
from tokens.network import Request
from tokens.pages import is_passing

WINDOWS_SECONDS = 1.0
MOST_HOSTS_NOTED = 8
ELSEWHERE = "A live login shows the school's own pages only, and this was another."
ADVICE = "If the school's sign-on needs it, the gateway's admin adds it to XIPU_SIGN_ON_HOSTS."

Step = Callable[[str, str], None]


def confine(driver: WebDriver, step: Step) -> Confinement:
    """Deny this Chrome downloads, permissions and the files of this machine. `step` is told what was kept away."""
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "deny"})
    driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": []})
    # No file dialog opens, and none is answered.
    driver.execute_cdp_cmd("Page.setInterceptFileChooserDialog", {"enabled": True})
    return Confinement(driver, step, allowed_places())


class Confinement:
    def __init__(self, driver: WebDriver, step: Step, places: Sequence[Place]) -> None:
        self._driver = driver
        self._step = step
        self._places = places
        self._window = driver.current_window_handle
        self._looked_at = 0.0
        self._requests = 0
        self._blocked: set[str] = set()
        self._has_closed = False

    def check(self, url: str, requests: Sequence[Request]) -> None:
        """Raises `LoginFailed` where the window has left the school. Other windows are closed unseen.

        `requests` are all that were made so far.
        """
        self._note_blocked(requests)
        if not may_be_shown(url, self._places):
            raise LoginFailed(ELSEWHERE)
        if url.startswith("chrome-error:"):
            self._say_where(requests)
        if time.monotonic() - self._looked_at > WINDOWS_SECONDS:
            self._looked_at = time.monotonic()
            self._close_others()

    def _note_blocked(self, requests: Sequence[Request]) -> None:
        """Each host once: what does not work here may be missing because of it."""
        new, self._requests = requests[self._requests :], len(requests)
        for host in filter(None, map(self._blocked_host, new)):
            if host not in self._blocked and len(self._blocked) < MOST_HOSTS_NOTED:
                self._step("blocked another site", f"{host}. {ADVICE}")
                self._blocked.add(host)

    def _say_where(self, requests: Sequence[Request]) -> None:
        """Where Chrome shows an error because the school's page led to a host that is kept away."""
        pages = [request for request in requests if request.is_document]
        if pages and (host := self._blocked_host(max(pages, key=lambda page: page.at))):
            raise LoginFailed(f"The school's page led to {host}, which a live login does not open. {ADVICE}")

    def _blocked_host(self, request: Request) -> str:
        """The host of a request that did not get out; "" where it did, or was for none."""
        return "" if is_allowed(request.url, self._places) else place_of(request.url).host

    def _close_others(self) -> None:
        others = [handle for handle in self._driver.window_handles if handle != self._window]
        for handle in others:
            self._close(handle)
        if others:
            self._driver.switch_to.window(self._window)
            self._note_closed()

    def _close(self, handle: str) -> None:
        """It may close by itself before it is closed."""
        try:
            self._driver.switch_to.window(handle)
            self._driver.close()
        except NoSuchWindowException:
            return
        except WebDriverException as error:
            if not is_passing(error):
                raise

    def _note_closed(self) -> None:
        if not self._has_closed:
            self._has_closed = True
            self._step("closed another window", "A live login has one window.")
