"""What the ledger knows of imports, and the audit of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from scoreboard.domain.shards import shard_of
from scoreboard.pg import admin_audit
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("imports")


class ImportRecord:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def imported(
        self, board: str, actions: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], int]:
        """The points of those of the actions (user, action id) that the ledger has, whatever became
        of them since."""
        if not actions:
            return {}
        users, ids = zip(*actions, strict=True)
        with translated():
            shards = await self._pool.fetchval(_sql["shards"], board) or 1
            boards = [shard_of(board, user, shards) for user in users]
            rows = await self._pool.fetch(_sql["imported"], boards, users, ids)
        return {(user, action): points for user, action, points in rows}

    async def note(self, board: str, *, by: str, details: str) -> None:
        """Writes a line into the audit; ``details`` is JSON."""
        with translated():
            async with self._pool.acquire() as connection:
                await admin_audit.record(
                    connection, "board_imported", by=by, board=board, details=details
                )
