"""Parts of a process that go on until they are cancelled, whatever happens to them, and waits for
tasks that end however the task ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from scoreboard.errors import Unavailable

log = structlog.get_logger(__name__)

# Seconds in which a cancelled task ends, unless it missed that it was. Less could cut short what it
# does at its end, on a busy machine, such as closing connections.
CANCEL_AGAIN = 2.0
LOOKS = 10  # waits into which that time is cut: when the whole process stands still, one is used up
RESTART = 1.0  # seconds until a part that ended is run again, unless it names others

T = TypeVar("T")


async def keep_running(
    name: str,
    part: Callable[[], Coroutine[Any, Any, None]],
    *,
    restart: float | None = None,
    until: asyncio.Event | None = None,
) -> None:
    """Runs ``part`` until cancelled, or until it ends once ``until`` is set. However it ends
    before, by an error that nobody foresaw or cancelled by who knows whom, that is logged under
    ``name``, and the part is run again ``restart`` seconds later."""
    stopping = asyncio.Event() if until is None else until
    while True:
        task = asyncio.create_task(part())
        try:
            await asyncio.wait((task,))
        finally:
            await end(task)
        if stopping.is_set():
            return
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            log.error("part_ended", part=name)
        else:
            log.error("part_failed", part=name, exc_info=error)
        await unless_stopped(stopping, asyncio.sleep(RESTART if restart is None else restart))


async def result_of(task: asyncio.Task[T]) -> T:
    """What the task gives, for one of several who wait for it; who stops waiting does not stop it.
    Raises its error, and Unavailable when it was cancelled: that is not the caller's own end."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.cancelled() and not _is_cancelled():
            raise Unavailable("What was waited for was stopped.") from None
        raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def first_of(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs all until one of them ends, and ends the others. Raises its error."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(*tasks)
    for task in ended:
        task.result()


async def unless_stopped(stopping: asyncio.Event, waiting: Coroutine[Any, Any, None]) -> None:
    """Waits, but only until ``stopping`` is set."""

    async def stop() -> None:
        await stopping.wait()

    await first_of(waiting, stop())


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancels tasks, or what else is waited for, and returns when all have ended. Their errors are
    theirs. A task may have to be cancelled again: asyncio.wait_for of Python 3.11, which both
    drivers use, forgets a cancellation that comes in the moment in which what it waits for ends.
    Who is cancelled while waiting here waits on and is told then: what is closed next, a task that
    is left would open again."""
    for task in tasks:
        task.add_done_callback(_take_note)
    running = [task for task in tasks if not task.done()]
    cancelled: asyncio.CancelledError | None = None
    while running:
        for task in running:
            task.cancel()
        for _ in range(LOOKS):
            if running:
                try:
                    await asyncio.wait(running, timeout=CANCEL_AGAIN / LOOKS)
                except asyncio.CancelledError as error:
                    cancelled = error
                running = [task for task in running if not task.done()]
    if cancelled is not None:
        raise cancelled


def _take_note(task: asyncio.Future[Any]) -> None:
    """Keeps asyncio from reporting the task's error as one that nobody saw."""
    if not task.cancelled():
        task.exception()
