"""What a browser keeps: the page's token in its stores, and cookies, which a later login's browser gets back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver

from tokens.network import NO_TOKENS, host_and_port

READ_STORES = """
const app = document.querySelector("#app")?.__vue_app__;
const pinia = app?.$pinia ?? app?.config?.globalProperties?.$pinia;
const user = pinia?.state?.value?.user;
return [user?.token ?? "", localStorage.getItem(btoa("__XP_JM_USER__")) ?? ""];
"""


def stored_token(driver: WebDriver) -> str:
    """Return the token that the page keeps for itself, in its Pinia store or local storage; "" where there is none."""
    in_store, in_storage = driver.execute_script(READ_STORES)
    token = in_store if isinstance(in_store, str) and in_store else token_in_storage(in_storage)
    return "" if token.lower() in NO_TOKENS else token


def token_in_storage(text: str) -> str:
    """Read the token from JSON with `token`, or from packed text in which `token¨¨<TOKEN>¨` stands (protocol page)."""
    try:
        return _token_in(json.loads(text))
    except ValueError:
        match = re.search(r"(?:^|¨)token¨¨([^¨]+)", text)
        return match[1].strip() if match else ""


def _token_in(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    token = value.get("token")
    return token if isinstance(token, str) else next(filter(None, map(_token_in, value.values())), "")


def cookies_for(driver: WebDriver, api_url: str) -> dict[str, str]:
    """Return the cookies, HttpOnly ones included, that the browser would send to the API."""
    found = driver.execute_cdp_cmd("Network.getCookies", {"urls": [f"{api_url}/chat/config"]})
    return {cookie["name"]: cookie["value"] for cookie in found["cookies"]}


def sign_on_cookies(
    driver: WebDriver, *, portal: set[tuple[str, int]], api_url: str, pages: set[tuple[str, int]]
) -> list[dict[str, Any]]:
    """Return the cookies for the next login's browser, in the form that `restore_cookies` takes.

    Those of the portal itself stay behind, so that it asks the sign-on and hands out a new token, not the old one
    again; so do those of a host that only served the API. Where the portal is the sign-on too, its cookies are kept.
    """
    left_out = portal if pages - portal else set()
    api = host_and_port(api_url)
    if api not in pages:
        left_out = left_out | {api}
    cookies = driver.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
    return [_settable(cookie) for cookie in cookies if not _is_of(cookie, left_out)]


def _is_of(cookie: Mapping[str, Any], origins: set[tuple[str, int]]) -> bool:
    """Domain-wide cookies (with a leading dot) belong to no host alone; before Chrome 89 no port was kept."""
    return any(cookie["domain"] == host and cookie.get("sourcePort", port) in (port, -1) for host, port in origins)


def _settable(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie without an end has `expires` -1, which would delete it when set."""
    left_out = {"size", "session"} | ({"expires"} if cookie.get("expires", -1) < 0 else set())
    return {name: value for name, value in cookie.items() if name not in left_out}


def restore_cookies(driver: WebDriver, cookies: Sequence[Mapping[str, Any]]) -> None:
    """Give a fresh browser the sign-on cookies of an earlier login."""
    if cookies:
        driver.execute_cdp_cmd("Storage.setCookies", {"cookies": [dict(cookie) for cookie in cookies]})
