"""Pictures that a person must read: an image with a code, and the background of a slider."""

from __future__ import annotations

import base64
import random

SLIDER_WIDTH = 280
SLIDER_TOLERANCE = 6


def _data_url(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def new_code() -> str:
    """Return a code of four signs that are not easily confused."""
    return "".join(random.choices("ACEFHKMNPRTWXY3479", k=4))


def new_target() -> int:
    """Return where the slider must go, in pixels from its left end."""
    return random.randint(90, SLIDER_WIDTH - 60)


def code_image(code: str) -> str:
    """Draw `code` as the data URL of an image."""
    signs = "".join(
        f'<text x="{14 + 26 * place}" y="30" '
        f'transform="rotate({random.randint(-15, 15)} {20 + 26 * place} 24)">{sign}</text>'
        for place, sign in enumerate(code)
    )
    return _data_url(
        '<svg xmlns="http://www.w3.org/2000/svg" width="124" height="44" font-size="26" '
        f'font-family="monospace"><rect width="124" height="44" fill="#eef"/>{signs}'
        '<path d="M4 30 Q40 4 62 24 T120 14" stroke="#99a" fill="none"/></svg>'
    )


def slider_image(target: int) -> str:
    """Draw the slider's background, with the hole at `target`, as the data URL of an image."""
    return _data_url(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SLIDER_WIDTH}" height="90">'
        f'<rect width="{SLIDER_WIDTH}" height="90" fill="#cde"/>'
        f'<rect x="{target}" y="25" width="40" height="40" fill="#678" stroke="#fff"/></svg>'
    )


def slider_fits(target: int, at: float) -> bool:
    """Tell whether a piece dropped at `at` closes the hole."""
    return abs(target - at) <= SLIDER_TOLERANCE
