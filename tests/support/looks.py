"""A lookout for jobs that a test runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from scoreboard.background import end
from scoreboard.domain.waiting_work import Job
from scoreboard.pg.pool import open_pool
from scoreboard.pg.waiting_work import WorkRecord
from scoreboard.workers.lookout import Lookout, Wake


class _NoClock:
    """For jobs that no occurrence wakes."""

    async def now_ms(self) -> int:
        return 0


@asynccontextmanager
async def looking_for(database_url: str, wakes: Mapping[Job, Wake]) -> AsyncIterator[None]:
    """Wakes these jobs for as long as the block lasts, whenever they have something to do."""
    pool = await open_pool(database_url, connections=1, timeout=30)
    looks = asyncio.create_task(Lookout(WorkRecord(pool), _NoClock(), wakes).run())
    try:
        yield
    finally:
        await end(looks)
        await pool.close()
