"""What the verifier reads in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import asyncpg

from scoreboard.domain.audit import LedgerTotal
from scoreboard.domain.ledger import EventId, KeptAction
from scoreboard.pg.board_source import CHUNK, kept_action, receipts
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("ledger_audit")


class LedgerAudit:
    """Reads committed rows, a chunk at a time. Every method raises Unavailable when Postgres is
    away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def boards(self) -> list[str]:
        """The names of all boards."""
        with translated():
            return [row[0] for row in await self._pool.fetch(_sql["boards"])]

    async def users(self, board: str) -> int:
        """How many users user_score has of the board."""
        with translated():
            return int(await self._pool.fetchval(_sql["users"], board))

    async def next_users(self, board: str, after: str, count: int) -> list[str]:
        """Up to ``count`` users of the board behind ``after``, by name."""
        with translated():
            rows = await self._pool.fetch(_sql["next_users"], board, after, count)
        return [row[0] for row in rows]

    async def totals(self, board: str) -> AsyncIterator[list[LedgerTotal]]:
        """All users of the board, as of the beginning."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                cursor = await connection.cursor(_sql["totals"], board)
                while chunk := await cursor.fetch(CHUNK):
                    yield [LedgerTotal(*row) for row in chunk]

    async def totals_of(self, board: str, users: Sequence[str]) -> list[LedgerTotal]:
        """These users as they are now; those that neither side knows are left out."""
        with translated():
            rows = await self._pool.fetch(_sql["totals_of"], board, list(users))
        return [LedgerTotal(*row) for row in rows]

    async def receipts(self, board: str, since: EventId) -> AsyncIterator[list[KeptAction]]:
        """The actions whose latest event is beyond ``since``."""
        with translated():
            async with self._pool.acquire() as connection:
                async for chunk in receipts(connection, board, since):
                    yield chunk

    async def receipts_of(self, board: str, actions: Sequence[KeptAction]) -> list[KeptAction]:
        """These actions as they are now."""
        users, ids = [a.user_id for a in actions], [a.action_id for a in actions]
        with translated():
            rows = await self._pool.fetch(_sql["receipts_of"], board, users, ids)
        return [kept_action(*row) for row in rows]
