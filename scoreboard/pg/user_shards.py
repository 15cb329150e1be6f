"""Which shard of a board has a user."""

from __future__ import annotations

import asyncpg

from scoreboard.domain.shards import shard_names, shard_of
from scoreboard.pg.failures import translated
from scoreboard.pg.sql import statements

_sql = statements("user_shards")


class UserShards:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def shard(self, board: str, user: str, shards: int) -> str:
        """The name of the one, of so many ``shards``, that has the user: who was made anonymous is
        where the id was that nobody knows any more. Whoever is in none belongs where the id
        says."""
        own = shard_of(board, user, shards)
        if shards == 1:
            return own
        with translated():
            found = await self._pool.fetchval(_sql["having"], shard_names(board, shards), user, own)
        return found or own
