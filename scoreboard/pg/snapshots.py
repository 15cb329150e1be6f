"""Postgres as it is at one moment, however long that is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from scoreboard.pg.failures import CLIENT

# Before the snapshot, which the first query makes: so a part of the ledger that is folded meanwhile
# can't be missing in it as rows and as sums.
LEDGER = "LOCK TABLE score_action IN ACCESS SHARE MODE"
# Some statements may take minutes, for their work; not because somebody else locks a table.
WAIT = "SET LOCAL lock_timeout = '4s'"


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    """A connection that sees this moment, for as long as the block lasts. Raises what asyncpg
    raises, which the caller translates."""
    async with pool.acquire() as connection:
        transaction = connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        try:
            await connection.execute(f"{WAIT};{LEDGER}")
            yield connection
        finally:
            # One whose connection is dead has ended already.
            with suppress(*CLIENT, asyncpg.PostgresError):
                await transaction.rollback()
