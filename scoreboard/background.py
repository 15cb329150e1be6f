"""Parts of a process that go on until they are cancelled, whatever happens to them, and waits that
end when the process is to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

RESTART = 1.0  # seconds until a part that ended is run again, unless it names others


async def keep_running(
    name: str, part: Callable[[], Awaitable[None]], *, restart: float | None = None
) -> None:
    """Runs ``part`` until cancelled. An error that nobody foresaw is logged under ``name``, and
    the part is run again ``restart`` seconds later."""
    while True:
        try:
            await part()
        except Exception:
            log.exception("part_failed", part=name)
        else:
            log.error("part_ended", part=name)
        await asyncio.sleep(RESTART if restart is None else restart)


async def unless_stopped(stopping: asyncio.Event, waiting: Coroutine[Any, Any, None]) -> None:
    """Waits, but only until ``stopping`` is set."""
    wait = asyncio.ensure_future(waiting)
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((wait, stop), return_when=asyncio.FIRST_COMPLETED)
        if wait.done():
            await wait
    finally:
        for task in (wait, stop):
            task.cancel()
        await asyncio.gather(wait, stop, return_exceptions=True)
