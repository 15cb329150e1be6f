"""Threads are had at the start: one that can't be started later, when the system allows no more,
would fail whatever needs it, such as looking up the name of a server that has to be found again."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from scoreboard.errors import ConfigurationError

THREADS = 8
LOOKUPS = 4  # the event loop's own, which look names up (libuv's UV_THREADPOOL_SIZE)
# One more than these: a thread that has ended may keep its place for a moment.
REHEARSED = LOOKUPS + 1


async def start_threads() -> None:
    """Gives the running loop an executor whose threads all run, and has the loop start its own.
    Raises ConfigurationError."""
    executor = ThreadPoolExecutor(THREADS)
    _run_all(executor, THREADS)
    # A loop of libuv aborts the process when it can't start them, so others try it first.
    rehearsal = ThreadPoolExecutor(REHEARSED)
    _run_all(rehearsal, REHEARSED)
    rehearsal.shutdown()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(executor)
    await loop.getaddrinfo("127.0.0.1", None)


def _run_all(executor: ThreadPoolExecutor, count: int) -> None:
    """Returns when all threads of the executor run."""
    all_run = threading.Barrier(count)
    try:
        for _ in range(count):
            executor.submit(all_run.wait)
    except RuntimeError as error:
        all_run.abort()
        raise ConfigurationError(
            f"the system allows no further thread, and {THREADS + REHEARSED} are needed ({error}): "
            "raise the limit of processes (ulimit -u, TasksMax, pids.max) or of memory (ulimit -v)"
        ) from error
