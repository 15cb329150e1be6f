"""The time as the client sees it, so that tests can turn it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Seconds from any beginning, never backwards."""

    def now(self) -> float:
        """The time."""

    async def sleep_until(self, moment: float) -> None:
        """Returns when ``moment`` has come; at once when it has passed."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    async def sleep_until(self, moment: float) -> None:
        """See Clock."""
        await asyncio.sleep(max(0.0, moment - self.now()))


async def by(clock: Clock, deadline: float, awaited: Awaitable[T]) -> T:
    """The result of ``awaited``, which is cancelled at ``deadline``: then TimeoutError."""
    alarm = asyncio.ensure_future(clock.sleep_until(deadline))
    work = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait({alarm, work}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise TimeoutError
        return work.result()
    finally:
        for task in (alarm, work):
            task.cancel()
        await asyncio.wait({alarm, work})
