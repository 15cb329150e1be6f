"""What tables were when a day began: kept once a day, and read for what has changed since."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from scoreboard.domain.boards import no_such_board
from scoreboard.domain.daily_ranks import MOST, DayRanks, DueDay, Then
from scoreboard.domain.ledger import EventId
from scoreboard.domain.tables import board_of
from scoreboard.pg.failures import translated
from scoreboard.pg.histories import own_actions, parameters_of_own
from scoreboard.pg.read_tables import ReadTable, at_one_moment
from scoreboard.pg.sql import statements

_sql = statements("daily_ranks")

PATIENCE = 60.0  # seconds for the statement that goes through a table


class DailyRanks:
    """Days are named by their starts, Unix ms. ``most`` is of how many users of a table the ranks
    are kept. Every method raises Unavailable when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, *, most: int = MOST) -> None:
        self._pool = pool
        self._most = most

    async def zones(self) -> list[str]:
        """The time zones by which boards have their days."""
        with translated():
            return [row["clock"] for row in await self._pool.fetch(_sql["zones"])]

    async def due(self, zone: str, day: int, *, after: str, limit: int) -> list[DueDay]:
        """Up to ``limit`` boards of the zone, by name, behind ``after``, of whose day nothing is
        kept."""
        with translated():
            rows = await self._pool.fetch(_sql["due"], zone, day, after, limit)
        found: dict[str, dict[str, EventId]] = {}
        for board, shard, ms, seq in rows:
            found.setdefault(board, {})[shard] = EventId(ms, seq)
        return [DueDay(board, shards) for board, shards in found.items()]

    async def keep(self, board: str, day: int) -> bool:
        """Keeps the day of a board and of its open occurrences, all or nothing, and drops what no
        day or period needs any more. A table in which nothing has moved since the last time goes on
        with what is kept. False when somebody else is at it, or has done it."""
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read"),
            ):
                found = await connection.fetchrow(_sql["begin"], board, day)
                if found is None:
                    return False
                event_ms, shared, behind = found
                for row in await connection.fetch(_sql["tables"], board, day):
                    table = row["name"]
                    name = table + behind
                    if await connection.fetchval(_sql["carry"], name, day, event_ms) is None:
                        await connection.execute(
                            _sql["take"],
                            *(table, day, max(day, event_ms), shared, self._most, name),
                            timeout=PATIENCE,
                        )
                await connection.execute(_sql["drop"], board, day, board + behind, timeout=PATIENCE)
        return True

    async def ranks(self, table: str, users: Sequence[str], day: int) -> DayRanks | None:
        """The ranks of these users, one at least, in the table at the start of the day, or as soon
        after that as it was kept; None where nothing is kept. Raises UnknownBoard."""
        async with at_one_moment(self._pool, table) as at:
            rows = await at.connection.fetch(_sql["ranks"], _kept(at), list(users), day)
        if not rows:
            raise no_such_board(board_of(table))
        moment: int | None = rows[0]["moment"]
        if moment is None:
            return None
        return DayRanks(moment, {user: rank for user, rank, _ in rows if rank is not None})

    async def then(
        self, table: str, user: str, days: Sequence[int], *, part: str | None = None
    ) -> list[Then | None]:
        """The user in the table at the start of each of these days, or as soon after that as it was
        kept; None where nothing is kept. Of a board with shards, ``part`` is the user's shard's.
        Raises UnknownBoard."""
        async with at_one_moment(self._pool, table) as at:
            rows = await at.connection.fetch(_sql["then"], _kept(at), list(days), user)
            if not rows and days:
                raise no_such_board(board_of(table))
            own = at._replace(name=part or table)
            found: list[Then | None] = []
            for row in rows:
                moment: int | None = row["moment"]
                if row["was_new"]:
                    found.append(Then(row["wanted"], "absent", None, 0))
                elif row["users"] is None or moment is None:
                    found.append(None)
                elif row["rank"] is not None:
                    found.append(Then(moment, "ranked", row["rank"], row["score"]))
                elif row["users"] <= self._most:
                    found.append(Then(moment, "absent", None, 0))
                else:
                    told = await at.connection.fetchrow(
                        own_actions(_sql["total_by"]),
                        *(*parameters_of_own(own, user), at.rules.operator, moment),
                    )
                    was_there = told["counted"] > 0
                    found.append(
                        Then(moment, "unranked", None, told["total"])
                        if was_there
                        else Then(moment, "absent", None, 0)
                    )
        return found


def _kept(at: ReadTable) -> str:
    """The name under which the table's days are kept."""
    return at.name if at.rules.shard_count == 1 else f"{at.name}:*"
