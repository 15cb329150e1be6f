"""Reads of boards in Postgres, for while a board is not live in Redis. The order is the same as in
Redis, so as soon as the stream is drained, a board looks the same from both."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from scoreboard.domain.boards import TOP_SIZE, no_such_board
from scoreboard.domain.standings import Standing, TopEntry, percentile
from scoreboard.pg.pool import translated
from scoreboard.pg.sql import statements

_sql = statements("archived_boards")
_encode = msgspec.json.Encoder().encode


class ArchivedBoards:
    """Every method raises UnknownBoard, or Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def top(self, board: str) -> tuple[int, bytes]:
        """(version persisted, JSON array of the top 10)."""
        with translated():
            async with self._pool.acquire() as connection:
                version = await self._version(connection, board)
                rows = await connection.fetch(_sql["top"], board, TOP_SIZE)
        return version, _encode([TopEntry(*row) for row in rows])

    async def standings(self, board: str, users: list[str]) -> list[Standing | None]:
        """The standing of each user in order; None for one who is not on the board."""
        with translated():
            async with self._pool.acquire() as connection:
                await self._version(connection, board)
                players = await connection.fetchval(_sql["players"], board)
                if len(users) == 1:
                    row = await connection.fetchrow(_sql["standing"], board, users[0])
                    found = {} if row is None else {users[0]: (row["score"], row["rank"])}
                else:
                    rows = await connection.fetch(_sql["standings"], board, users)
                    found = {user: (score, rank) for user, score, rank in rows}
        return [_standing(user, *found[user], players) if user in found else None for user in users]

    async def around(self, board: str, user: str, radius: int) -> list[Standing] | None:
        """The user with up to ``radius`` neighbours on each side, by rank; None when the user is
        not on the board."""
        (own,) = await self.standings(board, [user])
        if own is None:
            return None
        with translated():
            async with self._pool.acquire() as connection:
                players = await connection.fetchval(_sql["players"], board)
                rows = await connection.fetch(_sql["neighbours"], board, user, radius)
        place = next((i for i, row in enumerate(rows) if row["user_id"] == user), None)
        if place is None:
            return None
        first = max(1, own.rank - place)
        return [
            _standing(row["user_id"], row["score"], rank, players)
            for rank, row in enumerate(rows, first)
        ]

    async def _version(self, connection: Any, board: str) -> int:
        version: int | None = await connection.fetchval(_sql["version"], board)
        if version is None:
            raise no_such_board(board)
        return version


def _standing(user: str, score: int, rank: int, players: int) -> Standing:
    # The players were counted a moment earlier, maybe before this one joined.
    return Standing(user, score, rank, percentile(rank, max(rank, players)))
