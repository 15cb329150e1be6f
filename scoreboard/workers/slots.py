"""Slots for work of which a process does only a little at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scoreboard.errors import BoardUnavailable, Unavailable


class Slots:
    """Hands out ``most`` slots in order of arrival. When work fails for want of a server, all who
    wait by then are told so: they would wait for the same server, one after the
    other. Where one board alone can't be had, the others are not concerned."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._failures = 0
        self._last = ""  # what the last one was told

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Waits for a slot, and holds it during the block. Raises Unavailable when other work
        failed with it meanwhile."""
        failures = self._failures
        async with self._free:
            if self._failures != failures:
                raise Unavailable(self._last)
            try:
                yield
            except BoardUnavailable:
                raise
            except Unavailable as error:
                self._failures += 1
                self._last = error.detail
                raise
