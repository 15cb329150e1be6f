"""What operators set on boards, with the audit of every change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from scoreboard.domain.boards import BoardSettings, no_such_board
from scoreboard.pg import admin_audit
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("board_settings")


class StoredSettings:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def all(self) -> dict[str, BoardSettings]:
        """The settings of all boards, by name."""
        with translated():
            rows = await self._pool.fetch(_sql["all"])
        return {board: BoardSettings.from_text(text) for board, text in rows}

    async def get(self, board: str) -> BoardSettings:
        """Raises UnknownBoard."""
        with translated():
            text = await self._pool.fetchval(_sql["get"], board)
        if text is None:
            raise no_such_board(board)
        return BoardSettings.from_text(text)

    @asynccontextmanager
    async def changing(
        self, board: str, partition: int, settings: BoardSettings, *, by: str
    ) -> AsyncIterator[None]:
        """Stores the settings, of a new board too, and commits at the end of the block unless
        that raises."""
        text = settings.to_text()
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                before = await connection.fetchval(_sql["get"], board)
                await connection.execute(_sql["set"], board, partition, text)
                details = f'{{"before":{before or "null"},"after":{text}}}'
                await admin_audit.record(
                    connection, "board_set", by=by, board=board, details=details
                )
                yield
