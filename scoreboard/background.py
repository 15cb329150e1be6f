"""Parts of a process that go on until they are cancelled, whatever happens to them, and waits that
end when the process is to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

CANCEL_AGAIN = 0.25  # seconds in which a cancelled task ends, unless it missed that it was
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
    wait = asyncio.create_task(waiting)
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((wait, stop), return_when=asyncio.FIRST_COMPLETED)
        if wait.done():
            await wait
    finally:
        await end(wait, stop)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks and returns when all have ended. Their errors are theirs. A task may have to be
    cancelled again: asyncio.wait_for of Python 3.11, which both drivers use, forgets a cancellation
    that comes in the moment in which what it waits for ends."""
    running = [task for task in tasks if not task.done()]
    while running:
        for task in running:
            task.cancel()
        _, still = await asyncio.wait(running, timeout=CANCEL_AGAIN)
        running = list(still)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # so that nobody misses it
