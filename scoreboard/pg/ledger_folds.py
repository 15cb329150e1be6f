"""Old parts of the ledger become totals of each user and table, step by step: each is one
transaction, and goes on where the one before it ended, whoever made that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from scoreboard.domain.ledger_parts import LedgerPart
from scoreboard.pg.connection import chunks_of
from scoreboard.pg.failures import translated
from scoreboard.pg.ledger_parts import WAIT, in_a_moment
from scoreboard.pg.partition_locks import FOLDS_LOCK, LOCK_SPACE
from scoreboard.pg.sql import statements

_sql = statements("ledger_folds")

USERS = 2_000  # users that one transaction sums up, or adds to earlier sums
PATIENCE = 600.0  # seconds for a statement; somebody may have very many actions
ARCHIVED = 5_000  # rows that are read at a time
READING = 60.0  # seconds for these


class LedgerFolds:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Whether it is this process's turn, which it is until the end of the block."""
        with translated():
            async with self._pool.acquire() as connection:
                yield await connection.fetchval(
                    "SELECT pg_try_advisory_lock($1, $2)", LOCK_SPACE, FOLDS_LOCK
                )

    async def due(self, retention_ms: int) -> LedgerPart | None:
        """The oldest part, if it ended so long ago, or was begun."""
        with translated():
            now = await self._pool.fetchval(_sql["now"])
            row = await self._pool.fetchrow(_sql["due"])
            if row is None or (row["to_ms"] > now - retention_ms and row["state"] == "open"):
                return None
            size = await self._pool.fetchrow(_sql["size"], row["relation"])
        return LedgerPart(
            *(row["part"], row["relation"], row["from_ms"], row["to_ms"]),
            *(row["state"] == "folding", size["actions"], size["bytes"]),
        )

    async def begin(self, part: LedgerPart) -> None:
        """From now on it is noted who changes in the part."""
        with translated():
            async with self._pool.acquire() as connection:
                await in_a_moment(connection, _sql["begin"].format(part=part.part))

    async def sum_up(self, part: LedgerPart) -> int:
        """Sums up the next users of a part that was begun. Returns how many; 0: all are."""
        async with self._transaction() as connection:
            row = await connection.fetchrow(_sql["due"])
            rows = await connection.fetch(
                _of(part, "next_users"), row["done_board"], row["done_user"], USERS
            )
            if rows:
                await self._sum(connection, part, rows)
                await connection.execute(_sql["done"], part.part, *rows[-1])
        return len(rows)

    async def sum_up_changed(self, part: LedgerPart) -> int:
        """Sums up users again who have changed meanwhile. Returns how many."""
        async with self._transaction() as connection:
            return await self._sum_again(connection, part, USERS)

    async def end(self, part: LedgerPart, most: int) -> bool:
        """Drops the part; its sums count instead. False when more than ``most`` users have changed
        since they were summed up last, or others use the ledger for longer than a moment; then
        nothing is done."""
        with translated():
            async with self._pool.acquire() as connection:
                try:
                    async with connection.transaction():
                        await connection.execute(WAIT)
                        await connection.execute(_sql["lock"])
                        changed = await connection.fetchval(_sql["changed"], part.part, most + 1)
                        if changed > most:
                            return False
                        await self._sum_again(connection, part, most)
                        await connection.execute(_sql["end"], part.part)
                except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                    return False
        return True

    async def has_changed(self, part: LedgerPart) -> bool:
        """Whether somebody's actions in the part have changed since they were summed up."""
        with translated():
            return bool(await self._pool.fetchval(_sql["changed"], part.part, 1))

    async def merge(self) -> int:
        """Adds some sums of a folded part to those of earlier ones, which changes nothing that is
        read. Returns how many; 0: all are."""
        async with self._transaction() as connection:
            part = await connection.fetchval(_sql["folded"])
            if part is None:
                return 0
            rows = await connection.fetch(_sql["checkpoints"], part, USERS)
            if rows:
                query = f"WITH gone AS ({_sql['gone']}), counted AS ({_sql['of_checkpoints']})"
                tables, users = zip(*rows, strict=True)
                await connection.execute(
                    f"{query} {_sql['summed']}", 0, tables, users, [0, part], timeout=PATIENCE
                )
                return len(rows)
            await connection.execute(_sql["merge_detail"], part)
            await connection.execute(_sql["drop_detail"], part)
            await connection.execute(_sql["drop_part"], part)
        return 1

    async def rows(self, part: LedgerPart) -> AsyncIterator[list[Any]]:
        """All of a part as it is at one moment, in chunks, as ``ARCHIVE`` names the columns."""
        with translated():
            async with self._pool.acquire() as connection:
                async for chunk in chunks_of(
                    connection, _of(part, "archived"), size=ARCHIVED, first=READING, further=READING
                ):
                    yield chunk

    async def _sum_again(self, connection: Any, part: LedgerPart, most: int) -> int:
        rows = await connection.fetch(_sql["take_changed"], part.part, most)
        if rows:
            boards, users = zip(*rows, strict=True)
            await connection.execute(_sql["forget"], part.part, boards, users, timeout=PATIENCE)
            await self._sum(connection, part, rows)
        return len(rows)

    async def _sum(self, connection: Any, part: LedgerPart, rows: Sequence[Any]) -> None:
        boards, users = zip(*rows, strict=True)
        query = f"WITH counted AS ({_of(part, 'of_actions')}) {_sql['summed']}"
        await connection.execute(query, part.part, boards, users, timeout=PATIENCE)
        await connection.execute(
            _of(part, "note_detail"), part.part, boards, users, part.to_ms, timeout=PATIENCE
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection


def _of(part: LedgerPart, name: str) -> str:
    """A statement about the part's table, whose name is one that we made."""
    return _sql[name].format(relation=part.relation)
