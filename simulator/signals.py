"""A bell that any number of tasks wait for."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes the tasks that wait at the moment of `fire`; later ones wait for the next `fire`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        """Wake everyone who waits now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next `fire`."""
        await self._event.wait()
