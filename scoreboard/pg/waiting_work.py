"""Which jobs have something to do, by one statement for all of them."""

from __future__ import annotations

from typing import get_args

import asyncpg

from scoreboard.domain.waiting_work import Job, WaitingWork
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("waiting_work")


class WorkRecord:
    """``look`` raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def look(self, now_ms: int | None) -> WaitingWork:
        """What waits at ``now_ms``, Unix ms; None: that is not known, and nothing has ended."""
        with translated():
            row = await self._pool.fetchrow(_sql["look"], now_ms)
        return WaitingWork(frozenset(job for job in get_args(Job) if row[job]), row["next_end"])
