"""The application: which host serves what."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router

from simulator import api, portal, signon_pages
from simulator.context import school_of
from simulator.control import control
from simulator.pages import scripts
from simulator.state import School


async def _to_portal(request: Request) -> Response:
    return RedirectResponse(f"{school_of(request).addresses.portal}/", 302)


def _api_2025(school: School) -> Mount:
    """The API of 2025 is another origin than the portal, whose script alone may read its answers."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=[school.addresses.portal],
        allow_methods=["GET", "POST"],
        allow_headers=["Jm-Token", "Sdp-App-Session", "Content-Type"],
    )
    return Mount("/api", routes=api.routes("2025"), middleware=[cors])


def create_app(school: School) -> Starlette:
    """Return the application: sign-on and API of 2025 on `localhost`, the rest on `127.0.0.1`."""
    shared: list[BaseRoute] = [Mount("/static", scripts), Mount("/_sim", control)]
    sign_on = Router([*shared, Route("/", _to_portal), _api_2025(school), *signon_pages.routes])
    own = Router([*shared, Mount("/jmapi/api", routes=api.routes("2026")), *portal.routes])
    app = Starlette(routes=[Host("localhost", sign_on), Host("127.0.0.1", own)])
    app.state.school = school
    return app
