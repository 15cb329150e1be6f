"""How far users' weeks that have ended are judged, and the cases that they become."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date

import asyncpg
import msgspec

from scoreboard.domain.judged_weeks import FoundWeek, UsersOfWeek, WeekPass
from scoreboard.pg.failures import translated
from scoreboard.pg.partition_locks import WEEKS_LOCK
from scoreboard.pg.sql import statements
from scoreboard.pg.turns import turn_of

_sql = statements("judged_weeks")


class JudgedWeeks:
    """Weeks are named by their Mondays. Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time."""
        return turn_of(self._pool, WEEKS_LOCK)

    async def due(self, week: date) -> list[tuple[str, str]]:
        """The boards with a gate and a model whose users' weeks up to this one are not judged, with
        the texts of their settings."""
        with translated():
            return [tuple(row) for row in await self._pool.fetch(_sql["due"], week)]

    async def begin(self, board: str, week: date) -> WeekPass | None:
        """Begins a pass up to this week, or goes on with one that was begun. To be called under the
        lock of the board's partition, with its stream drained. None: the board is gone."""
        with translated():
            row = await self._pool.fetchrow(_sql["begin"], board, week)
        return None if row is None else WeekPass(board, *row)

    async def users(self, going: WeekPass, limit: int) -> UsersOfWeek | None:
        """Of the next users of the pass those who acted; None: there are no more."""
        with translated():
            row = await self._pool.fetchrow(
                _sql["users"], going.board, going.after, going.since_ms, limit
            )
        return None if row["last"] is None else UsersOfWeek(*row)

    async def advance(self, going: WeekPass, found: Sequence[FoundWeek]) -> int | None:
        """Makes cases of the weeks that were found, and keeps in the same transaction how far the
        pass is. Where there are some, to be called under the lock of the board's partition, with
        its stream drained. Returns how many became cases: not those that had one; None when the
        pass is over, or the board is gone."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                at = (going.board, going.passing, going.after)
                if await connection.fetchval(_sql["advance"], *at) is None:
                    return None
                if not found:
                    return 0
                users, mondays, reasons = zip(*found, strict=True)
                findings = [msgspec.json.encode(each).decode() for each in reasons]
                added = await connection.fetch(
                    _sql["add_cases"], going.board, going.since_ms, users, mondays, findings
                )
        return len(added)

    async def end(self, going: WeekPass) -> None:
        """All users of the board are judged."""
        with translated():
            await self._pool.execute(_sql["end"], going.board, going.passing)
