"""Work that one process at a time does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import LOCK_SPACE
from scoreboard.pg.sql import statements

_sql = statements("partition_locks")


@asynccontextmanager
async def turn_of(pool: asyncpg.Pool, lock: int) -> AsyncIterator[bool]:
    """True for the one process that has this lock of LOCK_SPACE, until the end of the block.
    Raises Unavailable when Postgres is away."""
    with translated():
        connection = await pool.acquire()
    try:
        with translated():
            mine = await connection.fetchval(_sql["take_if_free"], LOCK_SPACE, lock)
        yield mine
    finally:
        await pool.release(connection)  # which releases the lock
