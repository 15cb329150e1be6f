"""Tables as they were at a moment, by the event times of the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from scoreboard.domain.moments import moment_of
from scoreboard.domain.shards import shard_names
from scoreboard.domain.standings import (
    TOP_TEN,
    Standing,
    TopEntry,
    UserStanding,
    percentile,
    user_standing,
)
from scoreboard.domain.tables import board_of, occurrence_of
from scoreboard.errors import DetailGone, TooExpensive, Unavailable
from scoreboard.pg.failures import translated
from scoreboard.pg.read_tables import ReadTable, at_one_moment
from scoreboard.pg.sql import statements

_sql = statements("past_tables")

_NEVER = 2**62  # later than every event
_MARGIN = 2.0  # seconds after which Postgres should have ended a statement that took too long


@asynccontextmanager
async def bounded_read(pool: asyncpg.Pool, table: str, patience: float) -> AsyncIterator[ReadTable]:
    """The table at this moment, for statements that Postgres ends after ``patience`` seconds.
    Raises TooExpensive then."""
    try:
        async with at_one_moment(pool, table, ledger_patience=patience) as at:
            yield at
    except Unavailable as error:
        if isinstance(error.__cause__, asyncpg.QueryCanceledError):
            raise TooExpensive(
                f"The answer takes more than the {patience:g} seconds that it may."
            ) from error
        raise


class PastTables:
    """A table is a board's own, which has its name, or that of an occurrence. Moments are Unix ms,
    and what happened in that millisecond had happened. An action that is taken back counts at
    moments before that, and one that was approved from the approval on. Who is hidden now is
    nowhere. ``patience`` is how many seconds an answer may take. Every method raises UnknownBoard,
    DetailGone, TooExpensive, or Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, *, patience: float) -> None:
        self._pool = pool
        self._patience = patience

    async def occurrence(self, board: str, period: str, at_ms: int) -> int:
        """The number of the latest occurrence that had started at the moment; 0: none had."""
        with translated():
            number: int = await self._pool.fetchval(_sql["occurrence"], board, period, at_ms)
        return number

    async def top(self, table: str, at_ms: int) -> list[TopEntry]:
        """The top as it was."""
        async with bounded_read(self._pool, table, self._patience) as at:
            rows = await self._fetch(at, "top", at_ms, at.rules.top_size)
            return [TopEntry(row["user_id"], row["score"] * at.rules.sign) for row in rows]

    async def user(self, table: str, user: str, at_ms: int) -> UserStanding | None:
        """The user's place as it was; None when the user was not in the table."""
        async with bounded_read(self._pool, table, self._patience) as at:
            rows = await self._fetch(at, "standing", at_ms, user)
            shared, sign = at.shared, at.rules.sign
        own = next((row for row in rows if row["user_id"] == user), None)
        if own is None:
            return None

        def standing(row: Any) -> Standing:
            rank = row["shared"] if shared else row["place"]
            share = percentile(rank, row["players"])
            return Standing(row["user_id"], row["score"] * sign, rank, share)

        above = next((row for row in rows if row["place"] == own["place"] - 1), None)
        tenth = next((row for row in rows if row["place"] == TOP_TEN), None)
        return user_standing(
            standing(own), above and standing(above), tenth and tenth["score"] * sign
        )

    async def _fetch(self, at: ReadTable, name: str, at_ms: int, argument: Any) -> list[Any]:
        query = (
            f"WITH counted AS ({_sql['counted']}), totals AS ({_sql[at.rules.operator]}), "
            f"shown AS ({_sql['shown']}) {_sql[name]}"
        )
        board, occurrence = board_of(at.name), occurrence_of(at.name) or ""
        boards, tables = (shard_names(name, at.rules.shard_count) for name in (board, at.name))
        known_from = await at.connection.fetchval(_sql["detail_from"], boards)
        if at_ms < known_from and known_from:  # 0: all that ever was is known
            raise DetailGone(
                "Single actions of that time are no longer kept.",
                detailFrom=moment_of(known_from),
            )
        final_at = await at.connection.fetchval(_sql["final_at"], at.name) or _NEVER
        rows: list[Any] = await at.connection.fetch(
            query,
            *(boards, at_ms, occurrence, at.rules.sign, final_at, tables, argument),
            timeout=self._patience + _MARGIN,
        )
        return rows
