"""Threads are had at the start: one that can't be started later, when the system allows no more,
would fail whatever needs it, such as looking up the name of a server that has to be found again."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from scoreboard.errors import ConfigurationError

THREADS = 8


def start_threads() -> None:
    """Gives the running loop an executor whose threads all run. Raises ConfigurationError."""
    executor = ThreadPoolExecutor(THREADS)
    all_run = threading.Barrier(THREADS)
    try:
        for _ in range(THREADS):
            executor.submit(all_run.wait)
    except RuntimeError as error:
        all_run.abort()
        raise ConfigurationError(
            f"the system allows no further thread, and {THREADS} are needed ({error}): raise the "
            "limit of processes (ulimit -u, TasksMax, pids.max)"
        ) from error
    asyncio.get_running_loop().set_default_executor(executor)
