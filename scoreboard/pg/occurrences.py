"""Occurrences of periods: which are due, reads of them, and the end of those that were kept long
enough. They come by events (ledger.py), and get final under their partition's lock
(board_source.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from scoreboard.domain.kept_occurrences import DueOccurrence, KeptOccurrence
from scoreboard.domain.shards import shard_names
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import LOCK_SPACE, RANKS_LOCK
from scoreboard.pg.sql import statements

_sql = statements("occurrences")

CHUNK = 2_000  # rows that one transaction deletes
_FIRST = (-1, "", "", 0)  # comes before all that have ended
PATIENCE = 60.0  # seconds for a statement that deletes a chunk
RANKING = 600.0  # seconds in which a table is ranked


class Occurrences:
    """Every method raises Unavailable when Postgres is away. Moments are Unix ms."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def due(
        self, now_ms: int, limit: int, *, turning: bool, after: DueOccurrence | None = None
    ) -> list[DueOccurrence]:
        """Up to ``limit`` occurrences that have ended at ``now_ms``, earliest end first, behind
        ``after`` in that order: when ``turning`` those of which the next was not opened yet, else
        those that can be made final."""
        spot = (after.ends_at, after.board, after.period, after.number) if after else _FIRST
        with translated():
            rows = await self._pool.fetch(_sql["due"], now_ms, limit, turning, *spot)
        return [DueOccurrence(*row) for row in rows]

    async def unsettled(
        self, period: str, number: int, shards: Sequence[str]
    ) -> list[tuple[str, bool]]:
        """Those of these shards in which something may still count in the occurrence, and whether
        they have opened it."""
        with translated():
            rows = await self._pool.fetch(_sql["unsettled"], period, number, shards)
        return [tuple(row) for row in rows]

    async def latest(self, board: str) -> list[KeptOccurrence]:
        """The latest two of each of the board's periods, by period, the older one first."""
        with translated():
            return await latest(self._pool, board)

    async def holding(self, board: str, moment_ms: int) -> list[KeptOccurrence]:
        """The board's occurrences in which the moment lies, whatever became of them."""
        with translated():
            return [
                KeptOccurrence(*row)
                for row in await self._pool.fetch(_sql["holding"], board, moment_ms)
            ]

    async def large(self, tables: Sequence[str], users: int) -> set[str]:
        """Those of these tables that have more than so many users."""
        with translated():
            return {row["name"] for row in await self._pool.fetch(_sql["large"], tables, users)}

    async def rank_ahead(self, table: str) -> None:
        """Ranks a table that is about to be final, in one transaction, unless it is final."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                shared = await connection.fetchval(_sql["keep_open"], table, timeout=RANKING)
                if shared is not None:
                    await connection.execute(_sql["rank"], table, shared, timeout=RANKING)

    async def rank_next(self) -> tuple[str, int] | None:
        """Ranks a final table anew that decisions have changed, the smallest first, in one
        transaction. Returns its name and how many have a rank; None when there is no such table, or
        another process ranks one."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if not await connection.fetchval(_sql["ranking_turn"], LOCK_SPACE, RANKS_LOCK):
                    return None
                if (due := await connection.fetchrow(_sql["next_unranked"])) is None:
                    return None
                table, decisions = due
                users: int = await connection.fetchval(_sql["rank_again"], table, timeout=RANKING)
                await connection.execute(_sql["ranked"], table, users, decisions)
        return table, users

    async def prune(self, board: str, period: str, keep: int) -> int:
        """Deletes the users of all final occurrences but for the latest ``keep``, a chunk in each
        transaction. From the first chunk on an occurrence is pruned. Returns how many it emptied;
        after a crash the next call goes on."""
        with translated():
            tables = [
                row["table_name"]
                for row in await self._pool.fetch(_sql["to_prune"], board, period, keep)
            ]
            for table in tables:
                await self._empty(table)
        return len(tables)

    async def _empty(self, table: str) -> None:
        last = ""
        while True:
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(_sql["begin_pruning"], table) is None:
                    return
                gone, last = await connection.fetchrow(
                    _sql["prune"], table, CHUNK, last, timeout=PATIENCE
                )
                if gone < CHUNK:
                    await connection.execute(_sql["end_pruning"], table, timeout=PATIENCE)
                    return


async def latest(connection: Any, board: str) -> list[KeptOccurrence]:
    """The latest two of each of the board's periods, by period, the older one first."""
    return [KeptOccurrence(*row) for row in await connection.fetch(_sql["latest"], board)]


async def kept_tables(connection: Any, board: str) -> list[KeptOccurrence]:
    """All whose users are kept, open and final."""
    return [KeptOccurrence(*row) for row in await connection.fetch(_sql["tables"], board)]


async def open_tables(connection: Any, board: str) -> list[KeptOccurrence]:
    """All that are not final."""
    rows = await connection.fetch(_sql["open_tables"], board)
    return [KeptOccurrence(*row) for row in rows]


async def of_shards(
    connection: Any, board: str, period: str, number: int, shards: int
) -> KeptOccurrence | None:
    """The occurrence of this number of a board with so many shards, if it was opened."""
    others = shard_names(board, shards)[1:]
    row = await connection.fetchrow(_sql["of_shards"], board, period, number, others)
    return None if row is None else KeptOccurrence(*row)


async def page(
    connection: Any, board: str, period: str, before: int | None, limit: int, shards: int
) -> list[KeptOccurrence]:
    """Up to ``limit`` occurrences of a period of a board with so many shards, newest first, with
    numbers below ``before``. Open ones, too, say how many users they have."""
    others = shard_names(board, shards)[1:]
    rows = await connection.fetch(_sql["page"], board, period, before, limit, others)
    return [KeptOccurrence(*row) for row in rows]


async def finalise(
    connection: Any, board: str, period: str, number: int, *, timeout: float
) -> int | None:
    """See BoardSource.finalise."""
    users: int | None = await connection.fetchval(
        _sql["finalise"], board, period, number, timeout=timeout
    )
    return users
