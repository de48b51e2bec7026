"""A walk past every page, with a camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html, format_html_join

from gateway.management.processes import gateway_programs
from tests.browser.browser import Browser
from tests.browser.chromium import running_chromium
from tests.browser.pages import PAGES, Page
from tests.browser.sample import Sample, make_sample
from tests.conftest import until
from tests.processes import running
from tests.school import PASSWORD, School
from tokens.live.asking import live_ask
from tokens.models import LoginAttempt

WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
THEMES = ("light", "dark")
LANGUAGES = {"en": "en", "zh": "zh-CN"}


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    width: str
    theme: str
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}"

    def take(self, browser: Browser) -> None:
        browser.size(*WIDTHS[self.width])
        browser.theme(self.theme)
        browser.language(LANGUAGES[self.language])


LOOKS = tuple(Look(*each) for each in product(WIDTHS, THEMES, LANGUAGES))


@dataclass(frozen=True)
class Tour:
    """Pictures of the gateway at `base` go to `folder`."""

    folder: Path
    base: str
    school: School

    def take(self, only: set[str]) -> None:
        """All pages, or those named. Says each page when it is done, with what was wrong there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sample = make_sample(self.school)
        pages = [page for page in (*PAGES, LIVE) if not only or page.name in only]
        with running_chromium() as driver:
            browser = Browser(driver, self.base)
            browser.start_anew()
            for page in pages:
                with live_login(self, sample) if page is LIVE else nullcontext():
                    self._take(page, browser, sample)
        (self.folder / "index.html").write_text(index(pages))

    def _take(self, page: Page, browser: Browser, sample: Sample) -> None:
        for look in LOOKS:
            look.take(browser)
            page.open(browser, sample)
            browser.picture(self.folder / picture_name(page, look))
        print("\n    ".join([page.name, *dict.fromkeys(browser.faults())]), flush=True)


LIVE = Page("live-login", "wei", lambda sample: f"/dashboard/account/live/{opened(sample).pk}/", ready="canvas")


@contextmanager
def live_login(tour: Tour, sample: Sample) -> Iterator[None]:
    """A worker opens Chrome for Wei, of whom the school wants to see the piece of a puzzle moved."""
    tour.school.post("users", {"username": sample.wei.username, "password": PASSWORD, "check": "slider"})
    live_ask(account=sample.wei, web_url=tour.base.replace("http", "ws", 1))
    command = next(program.command for program in gateway_programs() if program.name == "live")
    with running(*command[1:], log=Path(settings.DATA_DIR) / "live.log"):
        until(lambda: opened(sample).asked, "what the school asks of Wei")
        yield


def opened(sample: Sample) -> LoginAttempt:
    """Wei's live login. Raises `DoesNotExist` when it has ended."""
    return LoginAttempt.objects.get(account=sample.wei, ended_at=None)


def picture_name(page: Page, look: Look) -> str:
    return f"{page.name}-{look}.png"


def index(pages: list[Page]) -> str:
    """A document that shows them beside each other."""
    sections = format_html_join("\n", "<h2>{}</h2><div>{}</div>", ((page.name, shown(page)) for page in pages))
    return format_html(
        "<!doctype html><meta charset=utf-8><title>Screenshots</title><style>"
        "body{{font-family:sans-serif}} div{{display:flex;gap:1rem;overflow-x:auto;align-items:start}}"
        "img{{width:320px;border:1px solid #999}} figure{{margin:0}}</style>\n{}\n",
        sections,
    )


def shown(page: Page) -> str:
    return format_html_join(
        "",
        '<figure><a href="{0}"><img src="{0}" alt="{1}" loading="lazy"></a><figcaption>{1}</figcaption></figure>',
        figures(page),
    )


def figures(page: Page) -> Iterator[tuple[str, str]]:
    return ((picture_name(page, look), str(look)) for look in LOOKS)
