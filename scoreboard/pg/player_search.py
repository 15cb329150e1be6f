"""Players as operators look for them: by name, and one on all boards."""

from __future__ import annotations

import asyncpg

from scoreboard.domain.found_players import FoundPlayer, PlayerOnBoard
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("player_search")

PATIENCE = 5.0  # seconds


class PlayerSearch:
    """Both methods raise Unavailable when Postgres is away, or takes too long."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def named(self, beginning: str, limit: int) -> list[FoundPlayer]:
        """Up to ``limit`` players whose names begin so, by name, whoever may see them."""
        with translated():
            rows = await self._pool.fetch(_sql["named"], beginning, limit, timeout=PATIENCE)
        return [FoundPlayer(*row) for row in rows]

    async def boards(self, user: str) -> list[PlayerOnBoard]:
        """The boards that have a total of the user, by name."""
        with translated():
            rows = await self._pool.fetch(_sql["boards"], user, timeout=PATIENCE)
        return [PlayerOnBoard(*row) for row in rows]
