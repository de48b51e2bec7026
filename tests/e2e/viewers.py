"""A member at the live view of their login, without a browser of their own: the page's requests and its WebSocket."""

from __future__ import annotations

import io
import json
import time
from contextlib import ExitStack
from typing import Any

import httpx
from PIL import Image
from websockets import Origin
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e import live_rows
from tests.e2e.stack import CONDITION_SECONDS, Person

HANDLE = (68, 136, 255)
"""The colour of the simulated slider's handle."""


class PageOf:
    """The pages of a signed-in member."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.closing = ExitStack()
        self.cookie = person.stack.desk(live_rows.sign_in, person.name)
        self.origin = person.stack.url.rstrip("/")
        self.http = httpx.Client(
            base_url=self.origin,
            cookies={"sessionid": self.cookie},
            headers={"referer": f"{self.origin}/"},
            timeout=CONDITION_SECONDS,
        )

    def post(self, path: str, **fields: str) -> httpx.Response:
        if "csrftoken" not in self.http.cookies:
            self.http.get("/dashboard/account/").raise_for_status()
        token = self.http.cookies["csrftoken"]
        return self.http.post(path, data={**fields, "csrfmiddlewaretoken": token})

    def open_live(self) -> LiveView:
        """Press the button, and open the page that it leads to."""
        answer = self.post("/dashboard/account/live/")
        assert answer.status_code == 302, answer.text
        page = answer.headers["location"]
        assert self.http.get(page).status_code == 200, page
        return LiveView(self.socket(f"/dashboard/ws/live/{page.rstrip('/').rpartition('/')[2]}/"))

    def socket(self, path: str) -> ClientConnection:
        """Closed at the latest with the page."""
        url = f"ws{self.origin.removeprefix('http')}{path}"
        cookie = {"cookie": f"sessionid={self.cookie}"}
        return self.closing.enter_context(
            connect(
                url, origin=Origin(self.origin), additional_headers=cookie, proxy=None, max_size=None, open_timeout=60
            )
        )


class LiveView:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pictures = 0
        self.said: list[dict[str, Any]] = []

    def send(self, **act: Any) -> None:
        self.socket.send(json.dumps(act))

    def picture(self) -> Image.Image:
        """The next picture, seen."""
        while isinstance(data := self.socket.recv(timeout=CONDITION_SECONDS), str):
            self.said.append(json.loads(data))
        self.pictures += 1
        self.socket.send("seen")
        return Image.open(io.BytesIO(data)).convert("RGB")

    def wait_for(self, colour: tuple[int, int, int]) -> tuple[Image.Image, tuple[float, float]]:
        """A picture that shows an area of this colour, and the middle of the area."""
        deadline = time.monotonic() + CONDITION_SECONDS
        while time.monotonic() < deadline:
            picture = self.picture()
            if place := middle_of(picture, colour):
                return picture, place
        raise AssertionError("the picture did not come")

    def drag(self, picture: Image.Image, start: tuple[float, float], by: float) -> None:
        """As a hand does: down, along, up. `by` in pixels of the picture."""
        at = {"y": start[1] / picture.height}
        self.send(type="press", x=start[0] / picture.width, **at)
        for part in range(1, 11):
            self.send(type="move", x=(start[0] + by * part / 10) / picture.width, **at)
        self.send(type="release", x=(start[0] + by) / picture.width, **at)

    def is_closed(self) -> bool:
        try:
            self.pictures += isinstance(self.socket.recv(timeout=0.2), bytes)
        except TimeoutError:
            return False
        except ConnectionClosed:
            return True
        return False


def middle_of(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[float, float] | None:
    """Where an area of about this colour is, if there is one."""
    data = picture.tobytes()
    red, green, blue = colour
    places = [
        (at // 3 % picture.width, at // 3 // picture.width)
        for at in range(0, len(data), 3)
        if abs(data[at] - red) < 14 and abs(data[at + 1] - green) < 14 and abs(data[at + 2] - blue) < 14
    ]
    if len(places) < 400:
        return None
    return sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places)
