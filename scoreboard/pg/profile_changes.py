"""What is left to do of changed profiles: the boards that are still to be brought in line. They are
noted in the transaction of the change, and by a trigger when a user comes onto a board."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from scoreboard.domain.profiles import ProfileChange
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import LOCK_SPACE, PROFILES_LOCK
from scoreboard.pg.reviews import hide_in_occurrences
from scoreboard.pg.sql import statements

_sql = statements("profile_changes")


class ProfileChanges:
    """Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """True for one process at a time."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                yield await connection.fetchval(_sql["turn"], LOCK_SPACE, PROFILES_LOCK)

    async def pending(self, limit: int, *, but: Collection[str] = ()) -> list[ProfileChange]:
        """The oldest of them, leaving out the boards ``but``."""
        with translated():
            rows = await self._pool.fetch(_sql["pending"], limit, list(but))
        return [ProfileChange(*row) for row in rows]

    async def recheck(self, limit: int) -> None:
        """Notes boards that users came onto while their profiles changed: a transaction that had
        begun before did not see the change, nor was it seen."""
        with translated():
            await self._pool.execute(_sql["recheck"], limit)

    async def choose(self, board: str, user: str) -> bool | None:
        """Takes over whether the user wants to be hidden, in all tables of the board; final ones
        are ranked anew by that, and amended. Returns whether the user is hidden then, for this
        reason or a moderator's; None when not on the board."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                hidden: bool | None = await connection.fetchval(_sql["choose"], board, user)
                if hidden is not None:
                    await hide_in_occurrences(connection, board, user, hidden)
        return hidden

    async def done(self, change: ProfileChange) -> None:
        """Nothing is left to do of it, unless it was asked for again meanwhile."""
        with translated():
            await self._pool.execute(_sql["done"], change.board, change.user_id, change.asked)


async def note(connection: Any, user: str, *, listing: bool) -> None:
    """Notes the boards that the user is on; ``listing``: whether the user is on their lists
    changes."""
    await connection.execute(_sql["note"], user, listing)
