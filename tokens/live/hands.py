"""A person's acts, carried to Chrome as its own input events: to the page they are those of mouse and keyboard."""

from __future__ import annotations

from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver

from tokens.live.keyboard import SHIFT, WRITING
from tokens.live.wire import Act, Answer, Here, Key, Move, Press, Release, Size, Stop, Text, Wheel
from tokens.pages import is_passing

LEAST_WIDTH, MOST_WIDTH = 480, 1280
LEAST_HEIGHT, MOST_HEIGHT = 520, 960

# Name: Windows' virtual key code and, where the key writes something, what.
KEYS: dict[str, tuple[int, str]] = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Backspace": (8, ""),
    "Delete": (46, ""),
    "Escape": (27, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Home": (36, ""),
    "End": (35, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
}


class Hands:
    """Acts in the page that `driver` shows. A page that goes away under an act has simply missed it."""

    def __init__(self, driver: WebDriver) -> None:
        self._driver = driver
        self._width, self._height = driver.execute_script("return [innerWidth, innerHeight]")
        self._pressed = False

    def carry_out(self, act: Act) -> None:
        match act:
            case Move() | Press() | Release() | Wheel():
                self._mouse(act)
            case Key():
                self._key(act)
            case Text():
                self._type(act.text)
            case Size():
                self._resize(act)
            case Answer() | Stop() | Here():
                return

    def _mouse(self, act: Move | Press | Release | Wheel) -> None:
        place = {"x": self._within(act.x, self._width), "y": self._within(act.y, self._height)}
        match act:
            case Press():
                self._pressed = True
                event = {"type": "mousePressed", "button": "left", "buttons": 1, "clickCount": act.clicks}
            case Release():
                self._pressed = False
                event = {"type": "mouseReleased", "button": "left", "buttons": 0, "clickCount": act.clicks}
            case Wheel():
                event = {"type": "mouseWheel", "deltaX": act.dx, "deltaY": act.dy}
            case Move():
                held = {"button": "left", "buttons": 1} if self._pressed else {"button": "none", "buttons": 0}
                event = {"type": "mouseMoved", **held}
        self._send("Input.dispatchMouseEvent", {**event, **place})

    def _within(self, fraction: float, size: int) -> float:
        return min(size - 1.0, fraction * size)

    def _key(self, act: Key) -> None:
        if act.name == "SelectAll":
            self._press_key({"key": "a", "code": "KeyA", "windowsVirtualKeyCode": 65, "modifiers": 2}, ["selectAll"])
            return
        code, text = KEYS[act.name]
        key: dict[str, Any] = {"key": act.name, "code": act.name, "windowsVirtualKeyCode": code}
        if act.shift:
            key["modifiers"] = SHIFT
        self._press_key({**key, "text": text} if text else key)

    def _press_key(self, key: dict[str, Any], commands: list[str] | None = None) -> None:
        down = {"type": "keyDown" if "text" in key else "rawKeyDown", **key, "commands": commands or []}
        self._send("Input.dispatchKeyEvent", down)
        self._send("Input.dispatchKeyEvent", {"type": "keyUp", **key, "text": ""})

    def _type(self, text: str) -> None:
        """One plain character as a key, which pages may wait for; all else as an input method writes it."""
        if text in WRITING:
            self._press_key(WRITING[text])
        else:
            self._send("Input.insertText", {"text": text})

    def _resize(self, act: Size) -> None:
        """Make the page about as large as the member's screen, as far as sign-on pages go along with it."""
        self._width = max(LEAST_WIDTH, min(MOST_WIDTH, act.width))
        self._height = max(LEAST_HEIGHT, min(MOST_HEIGHT, act.height))
        # Sharp on a phone, whose screen shrinks the page; no picture is wider than the widest page.
        scale = min(act.ratio, MOST_WIDTH / self._width)
        size = {"width": self._width, "height": self._height, "deviceScaleFactor": scale, "mobile": False}
        self._send("Emulation.setDeviceMetricsOverride", size)

    def _send(self, command: str, event: dict[str, Any]) -> None:
        try:
            self._driver.execute_cdp_cmd(command, event)
        except WebDriverException as error:
            if not is_passing(error):
                raise
