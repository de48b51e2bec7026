"""What a live login's Chrome may reach: the sign-on and the portal. A person has hands in it, and it stands in our
network: it must be of no use for anything else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.errors import LoginFailed

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
WINDOWS_SECONDS = 1.0
ELSEWHERE = "A live login shows the school's own pages only, and this was another."


def allowed_hosts() -> tuple[str, ...]:
    """Host names, `*.name` for all below a name: portal, the school's domain, and what the settings trust besides."""
    portal = _host(settings.XIPU_PORTAL_URL)
    names = [portal, settings.XIPU_SCHOOL_DOMAIN, f"*.{settings.XIPU_SCHOOL_DOMAIN}"]
    names += [*settings.XIPU_TRUSTED_HOSTS, *settings.XIPU_SIGN_ON_HOSTS]
    if api := _host(settings.XIPU_API_URL):
        names.append(api)
    # A simulated school on this machine goes by several names.
    names += LOOPBACK if portal in LOOPBACK else ()
    return tuple(dict.fromkeys(name.lower() for name in names if name))


def resolver_rules(hosts: Sequence[str]) -> str:
    """Chrome's `--host-resolver-rules`: no other name, and no other address, leads anywhere.

    A proxy of the environment finds names itself: there only what a window may show is held to the hosts.
    """
    proxies = filter(None, (_host(os.environ.get(name, "")) for each in PROXIES for name in (each, each.upper())))
    return ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in dict.fromkeys([*hosts, *proxies]))])


def may_be_shown(url: str, hosts: Sequence[str]) -> bool:
    """Whether a window may show this page: http(s) of an allowed host, or nothing yet, or Chrome's own error page."""
    parts = urlsplit(url)
    if parts.scheme in ("about", "chrome-error"):
        return url == "about:blank" or parts.scheme == "chrome-error"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return parts.scheme in ("http", "https") and any(_fits(host.lower(), allowed) for allowed in hosts)


def confine(driver: WebDriver) -> Confinement:
    """Deny this Chrome downloads, permissions and the files of this machine."""
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "deny"})
    driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": []})
    # No file dialog opens, and none is answered.
    driver.execute_cdp_cmd("Page.setInterceptFileChooserDialog", {"enabled": True})
    return Confinement(driver, allowed_hosts())


class Confinement:
    def __init__(self, driver: WebDriver, hosts: Sequence[str]) -> None:
        self._driver = driver
        self._hosts = hosts
        self._window = driver.current_window_handle
        self._looked_at = 0.0

    def check(self, url: str) -> None:
        """Raises `LoginFailed` where the window has left the school. Other windows are closed unseen."""
        if not may_be_shown(url, self._hosts):
            raise LoginFailed(ELSEWHERE)
        if time.monotonic() - self._looked_at > WINDOWS_SECONDS:
            self._looked_at = time.monotonic()
            self._close_others()

    def _close_others(self) -> None:
        others = [handle for handle in self._driver.window_handles if handle != self._window]
        for handle in others:
            self._driver.switch_to.window(handle)
            self._driver.close()
        if others:
            self._driver.switch_to.window(self._window)


def _fits(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _host(url: str) -> str:
    """The host of a URL, an IPv6 address in brackets; "" where there is none."""
    host = (urlsplit(url).hostname or "").lower()
    return f"[{host}]" if ":" in host else host
