"""Waiting for a condition, in place of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 60.0  # seconds for what has to come, on any machine: only a failure takes as long
INTERVAL = 0.02  # seconds between two looks


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Returns once it holds. Raises TimeoutError, which says ``what`` was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE:g} s: {what}")
        await asyncio.sleep(INTERVAL)
