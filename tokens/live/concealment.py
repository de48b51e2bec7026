"""The stored password in a live login: the gateway types it, and no picture shows it, whatever the page offers."""

from __future__ import annotations

from pathlib import Path

from selenium.common.exceptions import JavascriptException, TimeoutException, WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.pages import is_passing

SCRIPT = Path(__file__).with_name("conceal.js").read_text(encoding="utf-8")


class Concealment:
    """`is_wide`: whether the page was wider than its window when it was last looked at."""

    def __init__(self, driver: WebDriver, password: str) -> None:
        self._driver = driver
        self._password = password
        self.is_wide = False

    def apply(self) -> bool:
        """Hide the password where the page shows it. Whether that could be done."""
        return self._found() is not None

    def held(self) -> bool:
        """Whether nothing has shown it since it was hidden."""
        return self._found() == 0

    def clean(self, text: str) -> str:
        return text.replace(self._password, "…") if self._password else text

    def _found(self) -> int | None:
        """In how many places it was to be seen; None where the page did not say, for it is going away or busy."""
        try:
            found, self.is_wide = self._driver.execute_script(SCRIPT, self._password)
        except (JavascriptException, TimeoutException, TypeError):
            return None
        except WebDriverException as error:
            if not is_passing(error):
                raise
            return None
        return int(found)
