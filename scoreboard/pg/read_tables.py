"""Tables in Postgres at one moment: what every read of them begins with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import msgspec

from scoreboard.domain.boards import MAX_TOTAL, BoardSettings, RankStyle, no_such_board
from scoreboard.domain.stamps import stamp
from scoreboard.domain.tables import board_of
from scoreboard.pg import removals
from scoreboard.pg.failures import translated
from scoreboard.pg.final_tables import FinalTable, spot_behind
from scoreboard.pg.snapshots import LEDGER
from scoreboard.pg.sql import statements

_sql = statements("archived_boards")


class ReadTable(NamedTuple):
    """A table at one moment: a connection that sees it so, its name, the version persisted of its
    board, the board's rules, and the table as a final one if it is. One that nobody is in is empty.
    ``fetch`` and ``fetchrow`` run statements of archived_boards.sql."""

    connection: Any
    name: str
    version: int
    rules: BoardSettings
    final: FinalTable | None

    @property
    def shared(self) -> bool:
        """Whether equal totals share a rank."""
        return self.rules.rank_style == "standard"

    async def fetch(self, name: str, *args: Any) -> list[Any]:
        """The rows of a statement of this name."""
        rows: list[Any] = await self.connection.fetch(_sql[name], self.name, *args)
        return rows

    async def fetchrow(self, name: str, *args: Any) -> Any:
        """Its first row."""
        return await self.connection.fetchrow(_sql[name], self.name, *args)

    async def players(self) -> int:
        """How many users the table shows."""
        return int(await self.connection.fetchval(_sql["players"], self.name))

    async def shared_rank(self, rows: Sequence[Any]) -> int | None:
        """The rank of the first of these rows where equal totals share one."""
        if not self.shared or not rows:
            return None
        _, above = await self.fetchrow("above", *spot_behind(rows[0]["score"] + 1))
        return int(above) + 1


@asynccontextmanager
async def at_one_moment(
    pool: asyncpg.Pool, table: str, *, ledger_patience: float | None = None
) -> AsyncIterator[ReadTable]:
    """The table as it is at one moment, so one of a board that is being removed is there or not,
    and never half. Where the ledger is read as well, each statement may take ``ledger_patience``
    seconds. Raises UnknownBoard, or Unavailable when Postgres is away."""
    with translated():
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if ledger_patience is not None:
                milliseconds = max(1, round(ledger_patience * 1000))
                await connection.execute(f"SET LOCAL statement_timeout = {milliseconds}; {LEDGER}")
            row = await connection.fetchrow(_sql["board"], table)
            if row is None:
                await removals.refuse_if_pending(connection, board_of(table))
                raise no_such_board(board_of(table))
            rules, final = BoardSettings.from_text(row["settings"]), None
            if row["shared"] is not None:  # the rule when it became final
                style: RankStyle = "standard" if row["shared"] else "ordinal"
                rules = msgspec.structs.replace(rules, rank_style=style)
                final = FinalTable(
                    *(connection, table, rules.sign, row["users"]), shared=row["shared"]
                )
            yield ReadTable(connection, table, row["version"], rules, final)


def place_of(row: Any) -> tuple[Any, ...]:
    """The same, of a row of the statement ``place``."""
    return spot_behind(stamp(row["score"], row["reached_ms"]), row["user_id"])


BEFORE_ALL = spot_behind(MAX_TOTAL + 1)
BEHIND_ALL = spot_behind(-MAX_TOTAL - 1)
