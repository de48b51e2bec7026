"""Pages: HTML files into which the server puts one JSON object of data, as `window.page`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "pages"
scripts = StaticFiles(directory=FOLDER)


def page(name: str, **data: Any) -> HTMLResponse:
    """Return the page `name` (without `.html`) with its data."""
    text = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
    # A "<" in the data could end the script element.
    return HTMLResponse(text.replace("PAGE_DATA", json.dumps(data).replace("<", "\\u003c")))
