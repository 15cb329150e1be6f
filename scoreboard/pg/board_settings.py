"""What operators set on boards, with the audit of every change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from scoreboard.domain.boards import BoardSettings, SettingsChange, no_such_board
from scoreboard.domain.removals import being_removed
from scoreboard.domain.shards import shard_names, shard_number
from scoreboard.pg import admin_audit, installation, removals
from scoreboard.pg.failures import translated
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
            text, doing = await self._pool.fetchrow(_sql["get_unless_removed"], board)
        if doing is not None:
            raise being_removed(board, doing)
        if text is None:
            raise no_such_board(board)
        return BoardSettings.from_text(text)

    async def has_scores(self, board: str) -> bool:
        """True when somebody has a total on the board."""
        with translated():
            return bool(await self._pool.fetchval(_sql["has_scores"], board))

    @asynccontextmanager
    async def changing(
        self, board: str, partition_of: Callable[[str], int], change: SettingsChange, *, by: str
    ) -> AsyncIterator[BoardSettings]:
        """Stores what ``change`` makes of the settings, and gives it; commits at the end of the
        block unless that raises. A new board gets all of its shards. The audit has it, but for the
        further shards. To be called under the lock of the board's partition."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await removals.refuse_if_pending(connection, board)
                before = await connection.fetchval(_sql["get"], board)
                if before is None:
                    after = change(None).for_new_board(await installation.id_rule(connection))
                else:
                    after = change(BoardSettings.from_text(before))
                text = after.to_text()
                names = [board]
                if before is None and not shard_number(board):
                    names = shard_names(board, after.shard_count)
                    for shard in names[1:]:
                        await removals.refuse_if_pending(connection, shard)
                for name in names:
                    await connection.execute(_sql["set"], name, partition_of(name), text)
                if not shard_number(board):
                    details = f'{{"before":{before or "null"},"after":{text}}}'
                    await admin_audit.record(
                        connection, "board_set", by=by, board=board, details=details
                    )
                yield after
