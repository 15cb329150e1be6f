"""A persister at work in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scoreboard.workers.persister import Persister
from tests.support.waiting import PATIENCE


@asynccontextmanager
async def at_work(persister: Persister) -> AsyncIterator[None]:
    """It runs for as long as the block lasts, and is stopped in good order at the end."""
    stopping = asyncio.Event()
    task = asyncio.create_task(persister.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(task, PATIENCE)
