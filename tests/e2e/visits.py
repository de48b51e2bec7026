"""What a person does with a browser at the running installation, beyond opening, clicking and typing."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image
from selenium.webdriver import ActionChains

from tests.browser.browser import Browser
from tests.e2e import live_rows, rows
from tests.e2e.stack import Person, Stack
from tests.e2e.viewers import HANDLE, middle_of

PASSWORD = "correct-horse-battery-7"
"""The one that members choose for the gateway."""
STEPS_OF_A_DRAG = 10
HOLE = (102, 119, 136)
"""The colour of the hole in the simulated slider's picture."""


def sign_in(browser: Browser, name: str, stack: Stack) -> None:
    """Without the form."""
    browser.cdp("Network.setCookie", name="sessionid", value=stack.desk(live_rows.sign_in, name), url=browser.base)


def invited(stack: Stack) -> tuple[Person, str]:
    """Somebody whom the admin has just added, without a password, and the invitation's path."""
    person = stack.person()
    stack.desk(rows.command, "add_member", person.name, "--xjtlu-username", person.username)
    path = stack.desk(rows.invite, person.name)
    stack.secrets |= {path.split("/")[-2], PASSWORD}
    return person, path


def accept(browser: Browser, path: str, *, xjtlu_password: str = "") -> None:
    """Choose a password, and type that of XJTLU, whose login then begins."""
    browser.open(path)
    browser.fill("#id_new_password1", PASSWORD)
    browser.fill("#id_new_password2", PASSWORD)
    browser.fill("#id_xjtlu_password", xjtlu_password)
    browser.click("button", "Go on")
    browser.at("/dashboard/welcome/")


def watch_login(browser: Browser) -> None:
    """Look at the page until it says that the account is logged in."""
    browser.until(lambda: browser.all("[data-progress-state] .badge", "logged in"), "the end of the login")


def steps(browser: Browser) -> list[str]:
    """What the page shows of the latest login, in its order."""
    return [each.text for each in browser.all("[data-progress-steps] .step-words")]


def watch_running_login(browser: Browser) -> list[str]:
    """The steps that the page shows of a login that waits for the slow sign-on."""
    browser.find("[data-progress-steps] .now", "opening the portal")
    return steps(browser)


def new_key(browser: Browser, stack: Stack) -> str:
    """The key that the page shows only now."""
    api_key = browser.find("#api-key").text
    stack.secrets.add(api_key)
    return api_key


# The live view


def live_picture(browser: Browser) -> Image.Image:
    """What the page shows of the gateway's browser."""
    url = browser.script("return document.querySelector('[data-live-canvas]').toDataURL()")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def slide(browser: Browser) -> None:
    """Drag the captcha's handle to below the hole, with the mouse, as far as the picture shows it."""
    canvas = browser.find("[data-live-canvas]")
    browser.until(lambda: live_picture(browser).width == canvas.size["width"], "a picture of the canvas's own size")
    (x, y), (to, _y) = browser.until(lambda: slider_in(live_picture(browser)), "the slider")
    hand = ActionChains(browser.driver, duration=30).scroll_to_element(canvas)
    hand.move_to_element_with_offset(canvas, x - canvas.size["width"] // 2, y - canvas.size["height"] // 2)
    hand.click_and_hold()
    for step in range(STEPS_OF_A_DRAG):
        hand.move_by_offset((to - x) * (step + 1) // STEPS_OF_A_DRAG - (to - x) * step // STEPS_OF_A_DRAG, 0)
    hand.release().perform()


def slider_in(picture: Image.Image) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The middles of the handle and of the hole, where the picture shows them."""
    handle, hole = middle_of(picture, HANDLE), middle_of(picture, HOLE)
    if handle is None or hole is None:
        return None
    return (round(handle[0]), round(handle[1])), (round(hole[0]), round(hole[1]))


# The bookmarklet


def open_chat_at_school(browser: Browser, person: Person) -> None:
    """In a second window, sign in at the school and open a chat, as anybody there does."""
    browser.expect(person.stack.school.url.rstrip("/"))
    browser.expect(person.stack.school.url.replace("127.0.0.1", "localhost").rstrip("/"))
    browser.driver.switch_to.new_window("window")
    browser.driver.get(person.stack.school.url)
    browser.fill("input[type='text']", person.username)
    browser.fill("input[type='password']", person.password)
    browser.click(".notice-close")
    browser.click("button", "Log in")
    browser.click("a", "Chat")
    browser.click("button", "Start a chat")
    browser.see("models")


def press_bookmark(browser: Browser, address: str) -> None:
    """Press it on the page that is open, and look at the window that it opens."""
    before = set(browser.driver.window_handles)
    bookmark = "const link = document.createElement('a'); link.href = arguments[0]; link.textContent = 'Bookmark';"
    browser.script(f"{bookmark} document.body.append(link)", address)
    browser.click("a", "Bookmark")
    opened = browser.until(lambda: set(browser.driver.window_handles) - before, "the window of the gateway")
    browser.driver.switch_to.window(opened.pop())


def let_scripts_read_cookies(browser: Browser, school: str) -> None:
    """As at a portal whose cookies are not HttpOnly."""
    for cookie in browser.cdp("Network.getCookies", urls=[school])["cookies"]:
        browser.cdp("Network.setCookie", name=cookie["name"], value=cookie["value"], url=school, httpOnly=False)


# Downloads


def download(browser: Browser, folder: Path, text: str, ending: str) -> str:
    """Click the link, and read the file that comes. It has its name once it is whole."""
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.click("a", text)
    file = browser.until(lambda: next(folder.glob(f"*.{ending}"), None), f"the download of {ending}")
    return file.read_text(encoding="utf-8-sig")
